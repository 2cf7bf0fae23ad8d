import { expect, test } from 'vitest'
import { openUploads } from '../../src/node/index.ts'
import { conformance, formatReport } from '../../src/testing/index.ts'
import { afterTest } from '../e2e/support/after-test.ts'
import { temporaryDirectory } from '../e2e/support/temporary-directory.ts'
import { FRAMEWORK_STAGES } from './support/framework-stages.ts'

/** Small and short, so that the cases about limits and stalls can be run. */
const OPTIONS = {
  durability: 'process',
  pace: { idleTimeoutMs: 1000 },
  maxSizeBytes: 1024 * 1024,
  expireAfterMs: 24 * 60 * 60 * 1000,
} as const

/** Node answers `Expect: 100-continue` by itself, before a framework or Carryon sees the request. */
const DECIDED_BY_NODE = ['T-L6a', 'T-U8']
/** `@hono/node-server` has its own idea of the phrase of 460. */
const DECIDED_BY_BRIDGE = ['T-K2o']

test.each(FRAMEWORK_STAGES.map((stage) => [stage.name, stage] as const))(
  '%s passes the strict conformance suite, but for what it decides itself',
  async (_name, stage) => {
    const uploads = await openUploads({ dir: await temporaryDirectory(), ...OPTIONS })
    afterTest(() => uploads.close(1000))
    const running = await stage.start(uploads, false)
    afterTest(() => running.stop())
    const report = await conformance({ url: `${running.origin}/files/`, strict: true })
    const failed = report.results.filter(({ status }) => status === 'failed').map(({ id }) => id)
    const allowed = stage.onNode ? DECIDED_BY_NODE : [...DECIDED_BY_NODE, ...DECIDED_BY_BRIDGE]
    expect(failed, formatReport(report, { colour: false })).toEqual(allowed)
    expect(report.totals.passed).toBeGreaterThan(170)
  },
  60_000,
)
