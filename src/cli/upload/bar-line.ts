import type { FileProgress, TotalProgress } from './board.ts'
import { columnsOf, fit } from './display-name.ts'
import { amount, percentage, speed, time } from './progress-text.ts'

const BAR_COLUMNS = 20
const NARROW_COLUMNS = 72
const AMOUNT_COLUMNS = 'xxxx.x of xxxx.x MiB'.length
const SPEED_COLUMNS = 'xxxx.x MiB/s'.length
const TIME_COLUMNS = 'xx:xx:xx'.length

type Shown = Pick<TotalProgress, 'sentBytes' | 'totalBytes' | 'bytesPerSecond' | 'secondsLeft'>

/** `name  ████████░░░░  61%  3.1 of 5 GiB  38.2 MiB/s  0:52`, or what it waits for instead of the numbers. */
export function barLine(name: string, file: FileProgress, columns: number): string {
  return line(name, file, { columns, instead: file.waiting })
}

export function totalLine(total: TotalProgress, columns: number): string {
  return line(`${total.finished} of ${total.files} files`, total, { columns, instead: undefined })
}

function line(name: string, shown: Shown, layout: { columns: number; instead: string | undefined }): string {
  const bar = layout.columns < NARROW_COLUMNS ? '' : barOf(shown)
  const share = percentage(shown).padStart(4)
  const numbers = layout.instead ?? numbersOf(shown)
  const rest = [bar, share, numbers].filter((part) => part !== '').join('  ')
  // One column less than there is: writing into the last one makes some terminals wrap.
  const nameColumns = Math.max(8, Math.min(32, layout.columns - 3 - columnsOf(rest)))
  const whole = `${fit(name, nameColumns)}  ${rest}`
  return columnsOf(whole) < layout.columns ? whole : cutEnd(whole, layout.columns - 1)
}

function numbersOf(shown: Shown): string {
  return [
    amount(shown).padStart(AMOUNT_COLUMNS),
    speed(shown.bytesPerSecond).padStart(SPEED_COLUMNS),
    time(shown.secondsLeft).padStart(TIME_COLUMNS),
  ].join('  ')
}

function barOf({ sentBytes, totalBytes }: Shown): string {
  if (totalBytes === undefined) return '·'.repeat(BAR_COLUMNS)
  const share = totalBytes === 0 ? 1 : Math.min(1, sentBytes / totalBytes)
  const full = Math.floor(share * BAR_COLUMNS)
  return '█'.repeat(full) + '░'.repeat(BAR_COLUMNS - full)
}

function cutEnd(text: string, columns: number): string {
  let end = ''
  for (const character of text) {
    if (columnsOf(end + character) >= columns) return `${end}…`
    end += character
  }
  return end
}
