import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { conformance, type ConformanceReport, type Status } from '../../src/testing/conformance/index.ts'

let directory: string
let peer: ChildProcess
let report: ConformanceReport

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carryon-peer-'))
  const script = fileURLToPath(new URL('peer-server.ts', import.meta.url))
  peer = fork(script, [directory], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const [port] = await once(peer, 'message')
  report = await conformance({ url: `http://127.0.0.1:${Number(port)}/files`, timeoutMs: 5000 })
})

afterAll(async () => {
  const exited = once(peer, 'exit')
  peer.disconnect()
  await exited
  await rm(directory, { recursive: true, force: true })
})

function ids(status: Status): string[] {
  return report.results.filter((result) => result.status === status).map(({ id }) => id)
}

test('the suite goes through with @tus/server and finds what breaks a MUST of the text, nothing else', () => {
  // 400 in place of 412, metadata written anew, no method override: read in its source as well.
  expect(ids('failed')).toEqual(['T-V2', 'T-V3', 'T-H7', 'T-X1', 'T-X2', 'T-X2t', 'T-X3'])
  expect(report.ok).toBe(false)
})

test('it warns of what @tus/server does differently where the text only recommends', () => {
  const warned = report.results.filter(({ status, level }) => status === 'warned' && level === 'SHOULD')
  expect(warned.map(({ id }) => id)).toEqual(expect.arrayContaining(['T-P3', 'T-U8']))
  expect(ids('warned')).toEqual(
    expect.arrayContaining(['T-V5', 'T-P4', 'T-P9', 'T-M6', 'T-M7', 'T-U5', 'T-P16']),
  )
})

test('what every tus server does passes', () => {
  const basics = [
    'T-O1',
    'T-H1',
    'T-H3',
    'T-H5',
    'T-P1',
    'T-P2',
    'T-P6',
    'T-P11m',
    'T-P14',
    'T-C1',
    'T-C8',
    'T-U1',
    'T-D1',
  ]
  expect(ids('passed')).toEqual(expect.arrayContaining(basics))
})

test('extensions it does not announce are not applicable', () => {
  expect(ids('not-applicable')).toEqual(expect.arrayContaining(['T-K1', 'T-KT2', 'T-N1', 'T-N2', 'T-N8']))
  expect(ids('passed')).toContain('T-N14')
})
