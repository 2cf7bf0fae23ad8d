import { excerpt, failure, success } from './parsed.ts'
import type { Parsed } from './parsed.ts'
import { trimWhitespace } from './whitespace.ts'

// The last moment a four-digit year can say.
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59)
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const LONG_DAY = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)'
const MONTH = `(?<month>${MONTHS.join('|')})`
const TIME = '(?<hour>[0-9]{2}):(?<minute>[0-9]{2}):(?<second>[0-9]{2})'
const IMF_FIXDATE = new RegExp(`^${DAY}, (?<day>[0-9]{2}) ${MONTH} (?<year>[0-9]{4}) ${TIME} GMT$`)
const RFC_850 = new RegExp(`^${LONG_DAY}, (?<day>[0-9]{2})-${MONTH}-(?<year>[0-9]{2}) ${TIME} GMT$`)
const ASCTIME = new RegExp(`^${DAY} ${MONTH} (?<day>[0-9]{2}| [0-9]) ${TIME} (?<year>[0-9]{4})$`)

/**
 * Writes a moment as an IMF-fixdate such as `Wed, 25 Jun 2014 16:00:00 GMT` (RFC 9110 §5.6.7).
 *
 * Parts of a second are cut off; a moment after the year 9999 becomes the last second of it.
 *
 * @param timeMs - Milliseconds since 1970-01-01T00:00:00Z.
 * @throws {RangeError} if `timeMs` is not a number or lies before the year 0.
 */
export function formatHttpDate(timeMs: number): string {
  const date = new Date(Math.min(timeMs, LAST_MS))
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 0) throw new RangeError('timeMs is not a date')
  return date.toUTCString()
}

/**
 * Parses an HTTP date in each form a recipient has to know (RFC 9110 §5.6.7): IMF-fixdate, RFC 850, asctime.
 *
 * The name of the weekday is not checked against the date.
 *
 * @param nowMs - The present: a two-digit year more than 50 years ahead of it means the century before.
 * @returns Milliseconds since 1970-01-01T00:00:00Z.
 */
export function parseHttpDate(raw: string, nowMs: number): Parsed<number> {
  const text = trimWhitespace(raw)
  const parts = (IMF_FIXDATE.exec(text) ?? RFC_850.exec(text) ?? ASCTIME.exec(text))?.groups
  const timeMs = parts === undefined ? undefined : toTimeMs(parts, nowMs)
  return timeMs === undefined ? failure(`${excerpt(text)} is not an HTTP date.`) : success(timeMs)
}

function toTimeMs(parts: Readonly<Record<string, string>>, nowMs: number): number | undefined {
  const { year = '', month = '', day = '', hour = '', minute = '', second = '' } = parts
  // RFC 9110 §5.6.7 allows 60 for a leap second; the date then is the next minute.
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined
  const fullYear = year.length === 2 ? nearestYear(Number(year), nowMs) : Number(year)
  // Not Date.UTC(year, ...): it reads the years 0 to 99 as 1900 to 1999.
  const date = new Date(0)
  date.setUTCFullYear(fullYear, MONTHS.indexOf(month), Number(day))
  if (date.getUTCDate() !== Number(day)) return undefined
  return date.setUTCHours(Number(hour), Number(minute), Number(second))
}

function nearestYear(twoDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + twoDigits
  return year > thisYear + 50 ? year - 100 : year
}
