import { formatSize } from '../units.ts'
import type { FileProgress, TotalProgress } from './board.ts'

/** What files and totals have in common. */
type Amount = Pick<TotalProgress, 'sentBytes' | 'totalBytes'>
type Pace = Pick<FileProgress, 'bytesPerSecond' | 'secondsLeft'>

/** `61%`, `100%` only when nothing is missing; nothing where the total is not known. */
export function percentage({ sentBytes, totalBytes }: Amount): string {
  if (totalBytes === undefined) return ''
  if (totalBytes === 0 || sentBytes >= totalBytes) return '100%'
  return `${Math.floor((sentBytes / totalBytes) * 100)}%`
}

/** `3.1 of 5 GiB`, `900 KiB of 5 GiB`, `3.1 GiB`. */
export function amount({ sentBytes, totalBytes }: Amount): string {
  const sent = formatSize(Math.round(sentBytes))
  if (totalBytes === undefined) return sent
  const total = formatSize(totalBytes)
  const [number, unit] = sent.split(' ')
  return total.endsWith(` ${unit ?? ''}`) ? `${number} of ${total}` : `${sent} of ${total}`
}

/** `38.2 MiB/s`. */
export function speed(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? '' : `${formatSize(Math.round(bytesPerSecond))}/s`
}

/** `0:52`, `1:02:03`; `>1 d` for what nobody waits for. */
export function time(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return ''
  const whole = Math.ceil(seconds)
  if (whole >= 86_400) return '>1 d'
  const two = (value: number): string => String(value).padStart(2, '0')
  const minutes = Math.floor(whole / 60) % 60
  const hours = Math.floor(whole / 3600)
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}

/** All of it in words, for a line of a log: `61%, 3.1 of 5 GiB, 38.2 MiB/s, 0:52 left`. */
export function progressWords(progress: Amount & Pace): string {
  const left = time(progress.secondsLeft)
  return [
    percentage(progress),
    amount(progress),
    speed(progress.bytesPerSecond),
    left === '' ? '' : `${left} left`,
  ]
    .filter((word) => word !== '')
    .join(', ')
}

/** `5 GiB in 2:10, 39.4 MiB/s`, `5 GiB, 2 GiB of it sent before, in 12 s, …`; only the size of what took no time. */
export function doneWords(bytes: number, seconds: number, resumedBytes = 0): string {
  const size = formatSize(bytes)
  const before = resumedBytes === 0 ? '' : `, ${formatSize(resumedBytes)} of it sent before`
  if (seconds < 1 || bytes === resumedBytes) return size + before
  const took = seconds < 60 ? `${Math.round(seconds)} s` : time(seconds)
  return `${size}${before}${before === '' ? '' : ','} in ${took}, ${speed((bytes - resumedBytes) / seconds)}`
}
