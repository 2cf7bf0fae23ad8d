import type { ViteUserConfig } from 'vitest/config'

const config: ViteUserConfig = {
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/backends/**', 'test/runtimes/**'],
    reporters: ['default', './test/reporter.ts'],
    // Two cores: more workers only make the process tests wait for each other.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
}

export default config
