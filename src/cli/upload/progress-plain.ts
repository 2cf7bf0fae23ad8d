import type { Board, FileProgress } from './board.ts'
import { displayName } from './display-name.ts'
import type { Display, Streams } from './display.ts'
import { failureLine } from './failure.ts'
import { noteLine, resultLine } from './progress-none.ts'
import { doneWords, percentage, progressWords } from './progress-text.ts'

const INTERVAL_MS = 5000
const MOST_NAMES = 4

/** A line every few seconds, for logs and pipes. */
export function plainDisplay({ stdout, stderr }: Streams): Display {
  let stop = (): void => undefined
  const say = (line: string): void => stderr.write(`${line}\n`)
  return {
    open(board) {
      const tick = (): void => {
        if (board.active.size > 0) say(whereItIs(board))
        stop = board.clock.after(INTERVAL_MS, tick)
      }
      stop = board.clock.after(INTERVAL_MS, tick)
    },
    started: () => undefined,
    moved: () => undefined,
    waits: (file) => say(`${displayName(file.name)}: ${file.waiting ?? ''}`),
    note: (text, file) => stderr.write(noteLine(text, file?.name)),
    complete(file, done) {
      say(`${displayName(file.name)}: ${doneWords(done.bytes, done.seconds, file.resumedBytes)}`)
      stdout.write(resultLine(done))
    },
    failed: ({ name, failure }) => say(`carryon: ${displayName(name)}: ${failureLine(failure)}`),
    close({ files, complete, bytes, seconds }) {
      stop()
      if (files > 1) say(`${complete} of ${files} files, ${doneWords(bytes, seconds)}`)
    },
  }
}

function whereItIs({ total, active }: Board): string {
  const [only] = active
  if (total.files === 1 && only !== undefined) return `${displayName(only.name)}: ${progressWords(only)}`
  const names = [...active].slice(0, MOST_NAMES).map(nameAndShare).join(', ')
  const more = active.size > MOST_NAMES ? ', …' : ''
  return `${total.finished} of ${total.files} files, ${progressWords(total)}; now ${names}${more}`
}

function nameAndShare(file: FileProgress): string {
  const share = percentage(file)
  return share === '' ? displayName(file.name) : `${displayName(file.name)} ${share}`
}
