import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { onCleanUp } from '../scene.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/**
 * A worker process in a few files: many are started, and loading modules one by one is most of a start.
 *
 * @param entry - What it runs, by default the worker of the tests.
 * @returns The script to start; it goes with the test.
 */
export async function bundleWorker(
  entry: string = join(root, 'test/claims/worker/child.ts'),
): Promise<string> {
  const cache = join(root, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const dir = mkdtempSync(join(cache, 'carryon-claims-'))
  onCleanUp(() => rmSync(dir, { recursive: true, force: true }))
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
  const bundle = await rolldown({
    input: {
      child: entry,
      worker: join(root, 'src/catalogs/sqlite/worker.ts'),
      'settle-worker': join(root, 'src/stores/file/settle-worker.ts'),
    },
    platform: 'node',
    resolve: { alias: { 'carryon/node': join(root, 'src/node/index.ts') } },
    // It finds its binary beside itself.
    external: ['@photostructure/sqlite'],
    logLevel: 'silent',
  })
  await bundle.write({ dir, format: 'esm', entryFileNames: '[name].js' })
  return join(dir, 'child.js')
}
