import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { barLine } from '../../../src/cli/upload/bar-line.ts'
import type { FileProgress } from '../../../src/cli/upload/board.ts'
import { columnsOf, displayName, fit } from '../../../src/cli/upload/display-name.ts'
import { amount, doneWords, percentage, progressWords, time } from '../../../src/cli/upload/progress-text.ts'
import { whenWords } from '../../../src/cli/upload/info-text.ts'

const MIB = 2 ** 20

test.each([
  ['a\nb\r\tc', 'a\\nb\\r\\tc'],
  ['back\\slash', 'back\\\\slash'],
  ['\u001b[31mred', '\\u{1b}[31mred'],
  ['gpj.\u202eexe', 'gpj.\\u{202e}exe'],
  ['no\u00a0break', 'no\\u{a0}break'],
  ['lone\ud800', 'lone\\u{d800}'],
  ['smile 😀 日本', 'smile 😀 日本'],
])('%j is shown as %s', (name, shown) => {
  expect(displayName(name)).toBe(shown)
})

test('no name can steer a terminal, and names stay different', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (one, other) => {
      expect(displayName(one)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
      if (one !== other) expect(displayName(one)).not.toBe(displayName(other))
    }),
  )
})

test('a name is cut in its middle to just the columns there are', () => {
  expect(fit('short', 8)).toBe('short   ')
  expect(fit('a long name.bin', 9)).toBe('a lo….bin')
  expect(columnsOf('日本😀a')).toBe(7)
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 2, max: 40 }), (name, columns) => {
      expect(columnsOf(fit(displayName(name), columns))).toBe(columns)
    }),
  )
})

function file(progress: Partial<FileProgress>): FileProgress {
  return {
    name: 'big.iso',
    startedMs: 0,
    resumedBytes: 0,
    sentBytes: 0,
    acceptedBytes: 0,
    totalBytes: undefined,
    bytesPerSecond: undefined,
    secondsLeft: undefined,
    waiting: undefined,
    ...progress,
  }
}

const half = file({ sentBytes: 5 * MIB, totalBytes: 10 * MIB, bytesPerSecond: MIB, secondsLeft: 5 })

test('a bar shows how far it is', () => {
  expect(barLine('big.iso', half, 100)).toMatch(/^big\.iso +█{10}░{10} {3}50% +5 of 10 MiB +1 MiB\/s +0:05$/)
  expect(barLine('x', file({ sentBytes: 5 * MIB }), 100)).toMatch(/^x +·{20} +5 MiB +$/)
  const waiting = file({ totalBytes: 1, waiting: 'waiting for better days' })
  expect(barLine('x', waiting, 100)).toMatch(/0% {2}waiting for better days$/)
})

test('a bar never fills the last column, on any terminal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 10, max: 200 }), (name, columns) => {
      const waiting = file({ ...half, waiting: 'waiting, next attempt in 0:08: nothing listens there' })
      expect(columnsOf(barLine(displayName(name), half, columns))).toBeLessThan(columns)
      expect(columnsOf(barLine(displayName(name), waiting, columns))).toBeLessThan(columns)
    }),
  )
})

test('100% is said only when nothing is missing', () => {
  expect(percentage({ sentBytes: 9999, totalBytes: 10_000 })).toBe('99%')
  expect(percentage({ sentBytes: 10_000, totalBytes: 10_000 })).toBe('100%')
  expect(percentage({ sentBytes: 0, totalBytes: 0 })).toBe('100%')
  expect(percentage({ sentBytes: 1, totalBytes: undefined })).toBe('')
})

test('amounts and times are words', () => {
  expect(amount({ sentBytes: 1.5 * MIB, totalBytes: 3 * MIB })).toBe('1.5 of 3 MiB')
  expect(amount({ sentBytes: 1024, totalBytes: 3 * MIB })).toBe('1 KiB of 3 MiB')
  expect(amount({ sentBytes: 1, totalBytes: undefined })).toBe('1 byte')
  expect([time(5), time(61.2), time(3723), time(90_000), time(undefined)]).toEqual([
    '0:05',
    '1:02',
    '1:02:03',
    '>1 d',
    '',
  ])
  expect(progressWords(half)).toBe('50%, 5 of 10 MiB, 1 MiB/s, 0:05 left')
  expect(doneWords(10 * MIB, 0.2)).toBe('10 MiB')
  expect(doneWords(10 * MIB, 5)).toBe('10 MiB in 5 s, 2 MiB/s')
  expect(doneWords(10 * MIB, 130, 5 * MIB)).toBe('10 MiB, 5 MiB of it sent before, in 2:10, 39.4 KiB/s')
  expect([whenWords(25 * 3_600_000), whenWords(-5 * 60_000)]).toEqual(['in 25 h', '5 min ago'])
})
