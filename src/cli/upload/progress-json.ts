import type { FileProgress } from './board.ts'
import type { Display, Streams } from './display.ts'

const INTERVAL_MS = 1000

/** One JSON object a line on standard output: `start`, `progress`, `waiting`, `note`, then `complete` or `failed`. */
export function jsonDisplay({ stdout }: Streams, quiet: boolean): Display {
  const shownMs = new WeakMap<FileProgress, number>()
  const print = (event: string, fields: object): void =>
    stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
  let nowMs = (): number => 0
  return {
    open: ({ clock }) => (nowMs = () => clock.nowMs()),
    started(file) {
      shownMs.set(file, nowMs())
      if (!quiet) print('start', { path: file.name, bytes: file.totalBytes })
    },
    moved(file) {
      if (quiet || nowMs() - (shownMs.get(file) ?? 0) < INTERVAL_MS) return
      shownMs.set(file, nowMs())
      const { sentBytes: sent, acceptedBytes: accepted, totalBytes: total } = file
      const { bytesPerSecond, secondsLeft } = file
      print('progress', { path: file.name, sent, accepted, total, bytesPerSecond, secondsLeft })
    },
    waits(file) {
      if (!quiet) print('waiting', { path: file.name, for: file.waiting })
    },
    note(text, file) {
      if (!quiet) print('note', { message: text, path: file?.name })
    },
    complete(file, { url, bytes, seconds }) {
      print('complete', { url, bytes, path: file.name, seconds, resumedBytes: file.resumedBytes })
    },
    failed({ name, failure, url, acceptedBytes }) {
      print('failed', { path: name, ...failure, url, accepted: acceptedBytes })
    },
    close: (end) => {
      if (!quiet) print('end', end)
    },
  }
}
