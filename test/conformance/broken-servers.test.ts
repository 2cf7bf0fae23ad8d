import { expect, test } from 'vitest'
import { conformance, type ConformanceReport } from '../../src/testing/conformance/index.ts'
import { miniServer, type MiniOptions } from './mini-server.ts'
import type { Defect } from './mini-state.ts'

async function check(
  server: MiniOptions,
  only?: readonly string[],
  timeoutMs = 10_000,
): Promise<ConformanceReport> {
  const { url, close } = await miniServer({ stallMs: 300, ...server })
  try {
    return await conformance({ url, strict: true, timeoutMs, ...(only === undefined ? {} : { only }) })
  } finally {
    await close()
  }
}

function ids(report: ConformanceReport, status: string): string[] {
  return report.results.filter((result) => result.status === status).map(({ id }) => id)
}

test('a correct server passes every case that applies to it, strictly', async () => {
  const report = await check({})
  expect(report.results.filter(({ status }) => status === 'failed')).toEqual([])
  expect(ids(report, 'not-applicable')).toEqual([
    'T-C10',
    'T-L9',
    'T-U3',
    'T-E4',
    'T-E7',
    'T-KT4',
    'T-D5',
    'T-N6',
    'T-N11',
    'T-N14',
  ])
  expect(report).toMatchObject({
    ok: true,
    strict: true,
    totals: { failed: 0, warned: 0, notApplicable: 10 },
  })
  expect(report.durationMs).toBeLessThan(15_000)
})

test('cases of missing extensions are asserted from the other side, or not applicable, never passed', async () => {
  const without = [
    'termination',
    'concatenation',
    'concatenation-unfinished',
    'creation-defer-length',
    'expiration',
    'creation-with-upload',
    'checksum',
    'checksum-trailer',
  ]
  const report = await check({ without }, ['T-O*', 'T-L*', 'T-D*', 'T-N*', 'T-E*', 'T-K1', 'T-U1'])
  const passed = ids(report, 'passed')
  expect(passed).toEqual(expect.arrayContaining(['T-L9', 'T-D5', 'T-N14']))
  for (const id of ['T-L1', 'T-D1', 'T-N1', 'T-N2', 'T-E1', 'T-K1', 'T-U1']) expect(passed).not.toContain(id)
  const result = report.results.find(({ id }) => id === 'T-D1')
  expect(result).toMatchObject({
    status: 'not-applicable',
    message: 'the server does not announce termination',
  })
})

test('unfinished parts are refused where concatenation-unfinished is not announced', async () => {
  const report = await check({ without: ['concatenation-unfinished'] }, ['T-N6'])
  // The mini server still accepts them: it says less than it does.
  expect(ids(report, 'failed')).toEqual(['T-N6'])
})

test('an expiry that is near is waited for', async () => {
  const report = await check({ expireAfterMs: 1500, stallMs: 30_000 }, ['T-E4', 'T-E7'])
  expect(ids(report, 'passed')).toEqual(['T-E4', 'T-E7'])
})

test('a stall longer than anybody waits is not applicable, not passed', async () => {
  const report = await check({ stallMs: 60_000 }, ['T-P12'], 1000)
  expect(ids(report, 'not-applicable')).toEqual(['T-P12'])
})

/** Each defect with the cases that must see it. */
const table: readonly { readonly defect: Defect; readonly red: readonly string[] }[] = [
  { defect: 'offset-off-by-one', red: ['T-P1', 'T-P14'] },
  { defect: 'patch-says-200', red: ['T-P1'] },
  { defect: 'bare-errors', red: ['T-V1'] },
  { defect: 'loses-cut-bytes', red: ['T-P11'] },
  { defect: 'accepts-any-offset', red: ['T-P2', 'T-P15'] },
  { defect: 'reserialises-metadata', red: ['T-H7'] },
  { defect: 'loose-numbers', red: ['T-C4', 'T-P5'] },
  { defect: 'cacheable-head', red: ['T-H5'] },
  { defect: 'stores-mismatch', red: ['T-K2', 'T-K1a', 'T-KT2', 'T-O3'] },
  { defect: 'reversed-concat', red: ['T-N2', 'T-N3'] },
  { defect: 'hangs-on-conflict', red: ['T-P2', 'B-20'] },
  { defect: 'ignores-version', red: ['T-V2', 'T-V3', 'T-V4'] },
  { defect: 'no-version-list', red: ['T-V2'] },
  { defect: 'iso-dates', red: ['T-E3'] },
  { defect: 'offset-of-nothing', red: ['T-H6'] },
  { defect: 'keeps-deleted', red: ['T-D2'] },
  { defect: 'patches-final', red: ['T-N8'] },
  { defect: 'trusts-forwarded', red: ['B-11'] },
  { defect: 'raw-disposition', red: ['T-M9', 'T-M9d'] },
  { defect: 'decodes-paths', red: ['B-1', 'B-2', 'B-3'] },
  { defect: 'mixes-writers', red: ['T-P15', 'T-H11', 'T-D4'] },
  { defect: 'deferred-is-zero', red: ['T-L1', 'T-H4'] },
  { defect: 'shows-unverified', red: ['T-K6', 'T-K10'] },
  { defect: 'stores-beyond-length', red: ['T-P9', 'T-U4'] },
  { defect: 'continues-blindly', red: ['T-U8', 'T-L6a'] },
  { defect: 'range-off-by-one', red: ['G-2'] },
  { defect: 'cors-on-success-only', red: ['T-O8e'] },
  { defect: 'ignores-override', red: ['T-X1', 'T-X2', 'T-X2t', 'T-X3'] },
  { defect: 'drops-byte', red: ['T-P9m', 'T-P11'] },
  { defect: 'changes-length', red: ['T-L4', 'T-L7'] },
  { defect: 'waits-for-body', red: ['B-20'] },
  { defect: 'forgets-expiry-on-patch', red: ['T-E1'] },
  { defect: 'ignores-trailer', red: ['T-KT2', 'T-KT3'] },
  { defect: 'fails-on-nul', red: ['B-1', 'B-2', 'B-3'] },
]

test.each(table)('the defect $defect turns $red red', async ({ defect, red }) => {
  const report = await check({ defect }, red, 1500)
  expect(ids(report, 'failed').toSorted()).toEqual(red.toSorted())
  expect(report.ok).toBe(false)
})

test('an announcement that is not true turns T-O3 and the chapter red', async () => {
  const report = await check({ defect: 'lists-too-much', without: ['termination'] }, ['T-O3', 'T-D1'])
  expect(ids(report, 'failed')).toEqual(['T-O3', 'T-D1'])
})

test('what does not bind a server only warns, unless strict', async () => {
  const { url, close } = await miniServer({ defect: 'loses-cut-bytes', stallMs: 300 })
  try {
    const only = ['T-P11', 'T-P11m']
    const lenient = await conformance({ url, only })
    expect(lenient).toMatchObject({ ok: true, totals: { passed: 1, warned: 1, failed: 0 } })
    const strict = await conformance({ url, only, strict: true })
    expect(strict).toMatchObject({ ok: false, totals: { passed: 1, warned: 0, failed: 1 } })
  } finally {
    await close()
  }
})
