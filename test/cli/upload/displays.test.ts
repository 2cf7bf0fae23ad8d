import { afterEach, expect, test, vi } from 'vitest'
import { Board } from '../../../src/cli/upload/board.ts'
import type { Display, Streams, TerminalSink } from '../../../src/cli/upload/display.ts'
import { openDisplay } from '../../../src/cli/upload/display.ts'
import type { OutputConfig } from '../../../src/cli/upload/output-settings.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const MIB = 2 ** 20
const URL = 'http://host/files/1'

interface Recorded extends TerminalSink {
  text: string
}

function sink(terminal: Partial<TerminalSink> = {}): Recorded {
  const recorded: Recorded = { ...terminal, text: '', write: (text) => void (recorded.text += text) }
  return recorded
}

interface Scene extends Streams {
  readonly stdout: Recorded
  readonly stderr: Recorded
  readonly clock: FakeClock
  readonly board: Board
  readonly display: Display
}

async function scene(
  output: Partial<OutputConfig>,
  { isTerminal = false, sizes = [10 * MIB] }: { isTerminal?: boolean; sizes?: number[] } = {},
): Promise<Scene> {
  const terminal = isTerminal ? { isTTY: true, columns: 100, rows: 24 } : {}
  const streams = { stdout: sink(terminal), stderr: sink(terminal) }
  const display = await openDisplay({ json: false, quiet: false, progress: 'auto', ...output }, streams)
  const clock = new FakeClock()
  const board = new Board(clock, sizes)
  display.open(board)
  return { ...streams, clock, board, display }
}

/** One file half way, a note, a wait, its end; another that fails. */
async function play({ board, display, clock }: Scene): Promise<void> {
  const file = board.begin('a\nb.iso', 10 * MIB)
  display.started(file)
  board.moved(file, {
    sent: 5 * MIB,
    accepted: 4 * MIB,
    total: 10 * MIB,
    bytesPerSecond: MIB,
    secondsLeft: 5,
  })
  display.moved(file)
  display.note('something to know', file)
  await clock.advance(5000)
  file.waiting = 'waiting: nothing listens there'
  display.waits(file)
  board.moved(file, {
    sent: 10 * MIB,
    accepted: 10 * MIB,
    total: 10 * MIB,
    bytesPerSecond: MIB,
    secondsLeft: 0,
  })
  display.moved(file)
  board.end(file)
  display.complete(file, { url: URL, bytes: 10 * MIB, seconds: 5 })
  const failure = { exitCode: 3, code: 'server', status: 403, message: 'refused', hint: 'ask' } as const
  display.failed({ name: 'c', failure, url: undefined, acceptedBytes: 0 })
  display.close({ files: 2, complete: 1, failed: 1, bytes: 10 * MIB, seconds: 5, exitCode: 1 })
}

afterEach(() => void vi.useRealTimers())

test('plain: lines on standard error, the URL on standard output', async () => {
  const one = await scene({}, { sizes: [10 * MIB, MIB] })
  await play(one)
  expect(one.stdout.text).toBe(`${URL}\n`)
  expect(one.stderr.text.split('\n')).toEqual([
    'carryon: a\\nb.iso: something to know',
    '0 of 2 files, 45%, 5 of 11 MiB, 1 MiB/s, 0:06 left; now a\\nb.iso 50%',
    'a\\nb.iso: waiting: nothing listens there',
    'a\\nb.iso: 10 MiB in 5 s, 2 MiB/s',
    'carryon: c: refused; ask',
    '1 of 2 files, 10 MiB in 5 s, 2 MiB/s',
    '',
  ])
})

test('plain: a single file needs no total', async () => {
  const one = await scene({ progress: 'plain' })
  await play(one)
  expect(one.stderr.text).toContain('\na\\nb.iso: 50%, 5 of 10 MiB, 1 MiB/s, 0:05 left\n')
})

test('none: only notes, errors and URLs; quiet: no notes either', async () => {
  const none = await scene({ progress: 'none' })
  await play(none)
  expect(none.stdout.text).toBe(`${URL}\n`)
  expect(none.stderr.text).toBe('carryon: a\\nb.iso: something to know\ncarryon: c: refused; ask\n')
  const quiet = await scene({ quiet: true })
  await play(quiet)
  expect(quiet.stdout.text).toBe(`${URL}\n`)
  expect(quiet.stderr.text).toBe('carryon: c: refused; ask\n')
})

test('json: an object a line on standard output, names whole, and nothing else anywhere', async () => {
  const one = await scene({ json: true }, { isTerminal: true })
  await play(one)
  expect(one.stderr.text).toBe('')
  const path = 'a\nb.iso'
  const bytes = 10 * MIB
  const events = one.stdout.text
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
  expect(events).toEqual([
    { event: 'start', path, bytes },
    { event: 'note', message: 'something to know', path },
    { event: 'waiting', path, for: 'waiting: nothing listens there' },
    {
      event: 'progress',
      path,
      sent: bytes,
      accepted: bytes,
      total: bytes,
      bytesPerSecond: MIB,
      secondsLeft: 0,
    },
    { event: 'complete', url: URL, bytes, path, seconds: 5, resumedBytes: 0 },
    {
      event: 'failed',
      path: 'c',
      exitCode: 3,
      code: 'server',
      status: 403,
      message: 'refused',
      hint: 'ask',
      accepted: 0,
    },
    { event: 'end', files: 2, complete: 1, failed: 1, bytes, seconds: 5, exitCode: 1 },
  ])
  const quiet = await scene({ json: true, quiet: true })
  await play(quiet)
  expect(quiet.stdout.text.match(/"event":"\w+"/g)).toEqual(['"event":"complete"', '"event":"failed"'])
})

test('bar: bars while files are on their way, lines above them, nothing of them left at the end', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const one = await scene({}, { isTerminal: true, sizes: [10 * MIB, MIB] })
  const { board, display, clock, stderr, stdout } = one
  const file = board.begin('a.iso', 10 * MIB)
  board.moved(file, { sent: 5 * MIB, accepted: 0, total: 10 * MIB, bytesPerSecond: MIB, secondsLeft: 5 })
  await clock.advance(600)
  vi.advanceTimersByTime(300)
  expect(stderr.text).toMatch(/a\.iso +█{10}░{10} {3}50% .* 0:05/)
  expect(stderr.text).toMatch(/0 of 2 files +█{9}░{11} {3}45%/)
  display.note('something to know')
  board.end(file)
  display.complete(file, { url: URL, bytes: 10 * MIB, seconds: 5 })
  vi.advanceTimersByTime(300)
  expect(stdout.text).toBe(`\u001b[2K${URL}\n`)
  expect(stderr.text).toContain(
    '\u001b[2Kcarryon: something to know\n\u001b[2K✓ a.iso  10 MiB in 5 s, 2 MiB/s\n',
  )
  display.close({ files: 2, complete: 1, failed: 0, bytes: 10 * MIB, seconds: 5, exitCode: 0 })
  // Everything below the last line is cleared, and the terminal is as it was.
  expect(stderr.text.endsWith('\u001b[0J1 of 2 files, 10 MiB in 5 s, 2 MiB/s\n')).toBe(true)
  expect(stderr.text).not.toContain('\u001b[?')
  expect(vi.getTimerCount()).toBe(0)
})

test('bar: small files get none, and the URL goes out at once where it is no terminal', async () => {
  const { board, display, clock, stdout, stderr } = await scene({ progress: 'bar' })
  const file = board.begin('a', 1)
  await clock.advance(200)
  board.end(file)
  display.complete(file, { url: URL, bytes: 1, seconds: 0.2 })
  expect(stdout.text).toBe(`${URL}\n`)
  expect(stderr.text).toBe('✓ a  1 byte\n')
})

test('what the server had before is no speed', async () => {
  const clock = new FakeClock()
  const board = new Board(clock, [1000])
  const file = board.begin('a', 1000)
  file.resumedBytes = 900
  board.moved(file, { sent: 900, accepted: 900, total: 1000 })
  await clock.advance(1000)
  board.moved(file, { sent: 950, accepted: 900, total: 1000 })
  expect(board.total).toMatchObject({ sentBytes: 950, bytesPerSecond: 50, secondsLeft: 1 })
})
