import { describe, expect, test } from 'vitest'
import { formatDuration, formatSize, parseDurationMs, parseSizeBytes } from '../../src/cli/units.ts'

describe('sizes', () => {
  test.each([
    ['0', 0],
    ['5', 5],
    ['5B', 5],
    ['1kB', 1000],
    ['1KB', 1000],
    ['1KiB', 1024],
    ['500MB', 500_000_000],
    ['10GB', 10_000_000_000],
    ['10GiB', 10_737_418_240],
    ['2TB', 2_000_000_000_000],
    ['1TiB', 1_099_511_627_776],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('%s is %d bytes', (typed, bytes) => {
    expect(parseSizeBytes(typed)).toBe(bytes)
  })

  test.each([
    ['nothing', ''],
    ['a sign', '-1'],
    ['a plus', '+1'],
    ['a fraction', '1.5GiB'],
    ['an exponent', '1e3'],
    ['hexadecimal', '0x10'],
    ['a tail', '12abc'],
    ['a unit alone', 'GiB'],
    ['megabits', '10Mb'],
    ['lower case', '10gib'],
    ['half a unit', '10G'],
    ['a space', '10 GiB'],
    ['a separator', '10_000'],
    ['a line break', '10\n'],
    ['a name of Object', '1constructor'],
    ['more than a number holds', '9007199254740992'],
    ['more than a number holds, by its unit', '9000TiB'],
  ])('%s is refused: %j', (_, typed) => {
    expect(parseSizeBytes(typed)).toBeUndefined()
  })

  test.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [1023, '1023 bytes'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [1024 ** 2 - 1, '1 MiB'],
    [10 * 1024 ** 3, '10 GiB'],
    [3000 * 1024 ** 4, '3000 TiB'],
  ])('%d bytes read %s', (bytes, shown) => {
    expect(formatSize(bytes)).toBe(shown)
  })
})

describe('durations', () => {
  test.each([
    ['0s', 0],
    ['1500ms', 1500],
    ['30s', 30_000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
  ])('%s is %d ms', (typed, ms) => {
    expect(parseDurationMs(typed)).toBe(ms)
  })

  test.each(['', '30', 's', '-1s', '1.5h', '1e3s', '30 s', '30S', '30sec', '1h30m', '9007199254740992ms'])(
    '%j is refused',
    (typed) => {
      expect(parseDurationMs(typed)).toBeUndefined()
    },
  )

  test.each([
    [0, '0 ms'],
    [1500, '1500 ms'],
    [30_000, '30 s'],
    [90_000, '90 s'],
    [900_000, '15 min'],
    [86_400_000, '24 h'],
    [604_800_000, '7 d'],
  ])('%d ms read %s', (ms, shown) => {
    expect(formatDuration(ms)).toBe(shown)
  })
})
