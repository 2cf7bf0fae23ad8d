import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SourceChanged, TransferError } from '../../../src/client/errors.ts'
import { Board } from '../../../src/cli/upload/board.ts'
import { conclude } from '../../../src/cli/upload/conclusion.ts'
import type { Display } from '../../../src/cli/upload/display.ts'
import { authFrom } from '../../../src/cli/upload/auth-command.ts'
import { exitCodeHelp, fileExitCode, runExitCode } from '../../../src/cli/upload/exit-codes.ts'
import { failureLine, failureOf } from '../../../src/cli/upload/failure.ts'
import { watchInterrupt } from '../../../src/cli/upload/interrupt.ts'
import { patience } from '../../../src/cli/upload/patience.ts'
import { runQueue } from '../../../src/cli/upload/queue.ts'
import { nameOf } from '../../../src/cli/upload/remote-name.ts'
import { serverUrl } from '../../../src/cli/upload/server-url.ts'
import { SpeedMeter } from '../../../src/cli/upload/speed.ts'
import { statePath } from '../../../src/cli/upload/state.ts'
import { FakeClock, quiet } from '../../support/fake-clock.ts'

const system = (code: string): Error => Object.assign(new Error(`it failed: ${code}`), { code })
const network = (code: string): TransferError =>
  new TransferError('network', 'no answer from host', { cause: system(code) })

test.each([
  [new SourceChanged('changed'), 5],
  [new TransferError('source', 'gone'), 1],
  [system('EACCES'), 1],
  [network('ECONNREFUSED'), 4],
  [network('CERT_HAS_EXPIRED'), 3],
  [new TransferError('stall', 'x'), 4],
  [new TransferError('server', 'x', { status: 403 }), 3],
  [new TransferError('server', 'x', { status: 501 }), 3],
  [new TransferError('server', 'x', { status: 503 }), 4],
  [new TransferError('server', 'x', { status: 423 }), 4],
  [new TransferError('protocol', 'x', { status: 200 }), 3],
])('%o stands for the exit code %i', (error, code) => {
  expect(fileExitCode(error)).toBe(code)
})

test('a reason that every file shares is the exit code, else 1', () => {
  expect(runExitCode([], 3)).toBe(0)
  expect(runExitCode([4, 4], 0)).toBe(4)
  expect(runExitCode([4], 1)).toBe(1)
  expect(runExitCode([4, 3], 0)).toBe(1)
  expect(exitCodeHelp().match(/^ +\d+ {2}\S/gm)).toHaveLength(7)
})

test('files that were never begun are not taken for done', () => {
  const notes: string[] = []
  const display = {
    note: (text: string) => void notes.push(text),
    close: () => undefined,
  } as Partial<Display> as Display
  const board = new Board(new FakeClock(), [])
  const run = { board, display, isInterrupted: false, outcomes: [{ kind: 'complete', bytes: 1 }] } as const
  expect(conclude({ ...run, files: 1 })).toBe(0)
  expect(conclude({ ...run, files: 3 })).toBe(1)
  expect(conclude({ ...run, outcomes: [], files: 3 })).toBe(4)
  expect(notes).toEqual(['2 of 3 files were not begun', '3 of 3 files were not begun'])
  expect(conclude({ ...run, files: 3, isInterrupted: true })).toBe(130)
})

test('a failure is one line: what, why, what to do', () => {
  const hinted = new TransferError('server', 'POST x answered 403', {
    status: 403,
    hint: 'Check the credentials.',
  })
  expect(failureLine(failureOf(hinted))).toBe('POST x answered 403; check the credentials')
  expect(failureLine(failureOf(network('CERT_HAS_EXPIRED')))).toBe(
    'no answer from host (CERT_HAS_EXPIRED); name a certificate to trust with --cacert, or do not check it with --insecure',
  )
  expect(failureLine(failureOf(network('EPROTO')))).toMatch(/begin the URL with http:$/)
  const unreadable = new TransferError('source', '"x" may not be read', { cause: system('EACCES') })
  expect(failureLine(failureOf(unreadable))).toBe(
    'this user may not read it (EACCES); change its permissions',
  )
  expect(failureLine(failureOf(new Error('odd\n\u001b[31mthing')))).toBe('odd \u{fffd}[31mthing')
})

test('somebody who mistyped an address need not wait for 15 minutes', () => {
  const first = patience(undefined, () => false)
  expect(first(network('ECONNREFUSED'), 4)).toBeUndefined()
  expect(first(network('ECONNREFUSED'), 5)).toBe(false)
  expect(first(network('ENOTFOUND'), 5)).toBe(false)
  expect(first(network('ECONNRESET'), 50)).toBeUndefined()
  expect(first(new TransferError('protocol', 'HTML', { status: 200 }), 1)).toBe(false)
  expect(first(network('HPE_INVALID_CONSTANT'), 1)).toBe(false)
  expect(first(network('DEPTH_ZERO_SELF_SIGNED_CERT'), 1)).toBe(false)
})

test('once the server has the upload, the rules of the library hold', () => {
  const later = patience(undefined, () => true)
  expect(later(network('ECONNREFUSED'), 500)).toBeUndefined()
  expect(later(new TransferError('protocol', 'HTML', { status: 200 }), 9)).toBeUndefined()
  expect(later(network('CERT_HAS_EXPIRED'), 1)).toBe(false)
})

test('--retries counts failures in a row', () => {
  const two = patience(2, () => true)
  expect([1, 2, 3].map((attempt) => two(network('ECONNRESET'), attempt))).toEqual([
    undefined,
    undefined,
    false,
  ])
  expect(patience(0, () => false)(network('ECONNRESET'), 1)).toBe(false)
})

test('a queue works on so many at once, in order, and begins none after the end', async () => {
  const begun: number[] = []
  const finish = new Map<number, () => void>()
  const stop = new AbortController()
  const work = (item: number): Promise<void> => {
    begun.push(item)
    return new Promise((resolve) => finish.set(item, resolve))
  }
  const done = runQueue([1, 2, 3, 4, 5], work, { jobs: 2, signal: stop.signal })
  await quiet()
  expect(begun).toEqual([1, 2])
  finish.get(2)?.()
  await quiet()
  expect(begun).toEqual([1, 2, 3])
  stop.abort()
  finish.get(1)?.()
  finish.get(3)?.()
  await done
  expect(begun).toEqual([1, 2, 3])
})

test('the first signal stops in order, the second at once', () => {
  const source = new EventEmitter()
  const calls: string[] = []
  const interrupt = watchInterrupt({
    source,
    onStop: () => calls.push('stop'),
    onStopNow: () => calls.push('now'),
  })
  source.emit('SIGINT')
  expect(interrupt.signal.aborted).toBe(true)
  source.emit('SIGTERM')
  expect(calls).toEqual(['stop', 'now'])
  interrupt.dispose()
  expect(source.eventNames()).toEqual([])
})

test('the first line that the command prints is the value of Authorization', async () => {
  await expect(authFrom('printf "Bearer a b\\nmore\\n"')()).resolves.toBe('Bearer a b')
})

test.each([
  ['exit 3', 'the command of --auth-command ended with code 3'],
  ['echo "no token" >&2; exit 1', 'the command of --auth-command ended with code 1: no token'],
  ['true', 'the command of --auth-command printed nothing'],
  ['printf "Bearer \\303\\244"', 'the command of --auth-command printed more than plain ASCII'],
])('an auth command %j fails the upload at once', async (command, message) => {
  const error: unknown = await authFrom(command)().catch((error: unknown) => error)
  expect(error).toMatchObject({ message, code: 'server', status: undefined })
  expect(fileExitCode(error)).toBe(3)
})

test('uploads are remembered in the state directory of the user', () => {
  const own = join(homedir(), '.local/state/carryon/uploads.db')
  expect(statePath(undefined, { XDG_STATE_HOME: '/state' })).toBe('/state/carryon/uploads.db')
  expect(statePath(undefined, { XDG_STATE_HOME: 'relative' })).toBe(own)
  expect(statePath(undefined, {})).toBe(own)
  const dir = mkdtempSync(join(tmpdir(), 'carryon-state-'))
  expect(statePath(dir, {})).toBe(join(dir, 'uploads.db'))
  writeFileSync(join(dir, 'mine.db'), '')
  expect(statePath(join(dir, 'mine.db'), {})).toBe(join(dir, 'mine.db'))
  expect(statePath('new/', {})).toBe('new/uploads.db')
  rmSync(dir, { recursive: true })
})

test.each([
  ['attachment; filename="a b.iso"', 'a b.iso'],
  ['attachment; filename="../../etc/passwd"', 'passwd'],
  ["attachment; filename*=UTF-8''%E2%82%AC.txt", '€.txt'],
  ['attachment; filename=".."', 'id'],
  [undefined, 'id'],
])('a download with %j is called %s', (disposition, name) => {
  expect(nameOf(disposition, 'http://host/files/id')).toBe(name)
})

test('credentials do not belong in an address', () => {
  expect(() => serverUrl('http://user:secret@host/', 'x')).toThrow(/^credentials do not belong in the URL/)
  expect(() => serverUrl('host/files', 'it must be a URL')).toThrow('it must be a URL, not "host/files"')
  expect(serverUrl('HTTP://Host/files#top', 'x')).toBe('http://host/files')
})

test('speed is that of the last ten seconds', async () => {
  const clock = new FakeClock()
  const meter = new SpeedMeter(clock)
  expect(meter.bytesPerSecond).toBeUndefined()
  for (let second = 0; second < 20; second += 1) {
    await clock.advance(1000)
    meter.add(1000)
  }
  expect(meter.bytesPerSecond).toBeCloseTo(1000, 0)
  await clock.advance(5000)
  meter.add(0)
  expect(meter.bytesPerSecond).toBeLessThan(700)
})
