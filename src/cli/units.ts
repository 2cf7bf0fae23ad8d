const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}
const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** What {@link parseSizeBytes} takes, for messages. */
export const SIZE_RULE = 'bytes or a size such as 500MB or 10GiB'
/** What {@link parseDurationMs} takes, for messages. */
export const DURATION_RULE = 'a duration such as 1500ms, 30s, 15m, 24h or 7d'

/**
 * Reads a size: plain bytes, or a whole number with a unit of thousands (`MB`) or of 1024 (`MiB`). The case counts:
 * `Mb` is megabits elsewhere.
 *
 * @returns Bytes; `undefined` for anything else and for more than 2^53 - 1.
 */
export function parseSizeBytes(text: string): number | undefined {
  return parseWithUnit(text, SIZE_UNITS, 1)
}

/**
 * Reads a duration: a whole number with a unit. A bare number is refused: nobody remembers its unit.
 *
 * @returns Milliseconds; `undefined` for anything else.
 */
export function parseDurationMs(text: string): number | undefined {
  return parseWithUnit(text, TIME_UNITS, undefined)
}

/** A size for people: `10 GiB`, `1.5 MiB`, `12 bytes`. */
export function formatSize(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  if (bytes < 1024) return bytes === 1 ? '1 byte' : `${bytes} bytes`
  let value = bytes / 1024
  let unit = 0
  // What would be shown as 1024 is one of the next unit.
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value.toFixed(1).replace(/\.0$/, '')} ${units[unit]}`
}

/** A duration for people, in the largest unit that divides it: `24 h`, `90 s`. */
export function formatDuration(ms: number): string {
  for (const [unit, factor] of [
    ['d', TIME_UNITS['d']],
    ['h', TIME_UNITS['h']],
    ['min', TIME_UNITS['m']],
    ['s', 1000],
  ] as const) {
    // One day is better known as 24 hours.
    const least = unit === 'd' ? 2 : 1
    if (factor !== undefined && ms % factor === 0 && ms / factor >= least) return `${ms / factor} ${unit}`
  }
  return `${ms} ms`
}

function parseWithUnit(
  text: string,
  units: Readonly<Record<string, number>>,
  bare: number | undefined,
): number | undefined {
  const [, digits, unit] = /^([0-9]{1,16})([A-Za-z]*)$/.exec(text) ?? []
  if (digits === undefined || unit === undefined) return undefined
  const factor = unit === '' ? bare : Object.hasOwn(units, unit) ? units[unit] : undefined
  if (factor === undefined) return undefined
  const value = Number(digits) * factor
  return Number.isSafeInteger(value) ? value : undefined
}
