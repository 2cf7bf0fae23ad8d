import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chooseRange, formatContentRange } from '../../src/protocol/range.ts'
import type { RangeChoice } from '../../src/protocol/range.ts'

const part = (start: number, end: number) => ({ kind: 'part', start, end }) as const
const whole = { kind: 'whole' } as const
const unsatisfiable = { kind: 'unsatisfiable' } as const

describe('chooseRange', () => {
  test.each<[raw: string | undefined, expected: RangeChoice]>([
    ['bytes=0-4', part(0, 4)],
    ['bytes=5-', part(5, 9)],
    ['bytes=0-', part(0, 9)],
    ['bytes=9-9', part(9, 9)],
    ['bytes=-3', part(7, 9)],
    ['bytes=-10', part(0, 9)],
    ['bytes=-99', part(0, 9)],
    ['bytes=0-99', part(0, 9)],
    ['bytes=0-99999999999999999999999', part(0, 9)],
    [`bytes=0-${'9'.repeat(400)}`, part(0, 9)],
    [`bytes=-${'9'.repeat(400)}`, part(0, 9)],
    ['BYTES=0-4', part(0, 4)],
    [' bytes= 0-4 , ', part(0, 4)],
    ['bytes=10-', unsatisfiable],
    ['bytes=10-20', unsatisfiable],
    ['bytes=99999999999999999999-', unsatisfiable],
    ['bytes=-0', unsatisfiable],
    ['bytes=-000', unsatisfiable],
    [undefined, whole],
    ...[
      '',
      'bytes',
      'bytes=',
      'bytes=,',
      'bytes=-',
      'bytes=a-b',
      'bytes=4-2',
      'bytes=0-1,3-4',
      'bytes=20-,0-1',
    ].map((raw) => [raw, whole] as [string, RangeChoice]),
    ...[
      'items=0-4',
      'bytes =0-4',
      'bytes=0 - 4',
      'bytes=+0-4',
      'bytes=0x0-4',
      'bytes=0--1',
      'bytes=1e0-4',
      '0-4',
    ].map((raw) => [raw, whole] as [string, RangeChoice]),
  ])('%j of 10 bytes', (raw, expected) => {
    expect(chooseRange(raw, 10)).toEqual(expected)
  })

  test('of an empty representation', () => {
    expect(chooseRange('bytes=0-', 0)).toEqual(unsatisfiable)
    expect(chooseRange('bytes=-5', 0)).toEqual(whole)
    expect(chooseRange('bytes=-0', 0)).toEqual(unsatisfiable)
  })

  test('a part always lies inside the representation', () => {
    const spec = fc.tuple(fc.option(fc.nat(40)), fc.option(fc.nat(40)))
    fc.assert(
      fc.property(spec, fc.nat(20), ([first, last], size) => {
        const choice = chooseRange(`bytes=${first ?? ''}-${last ?? ''}`, size)
        if (choice.kind !== 'part') return
        expect(choice.start).toBeGreaterThanOrEqual(0)
        expect(choice.end).toBeGreaterThanOrEqual(choice.start)
        expect(choice.end).toBeLessThan(size)
      }),
    )
  })
})

test('formatContentRange', () => {
  expect(formatContentRange(part(0, 4), 10)).toBe('bytes 0-4/10')
  expect(formatContentRange(unsatisfiable, 10)).toBe('bytes */10')
})
