import { expect, test } from 'vitest'
import { sameBytes } from '../../src/core/operations/checksum.ts'

test('sameBytes compares every byte and the length', () => {
  const digest = Uint8Array.of(1, 2, 3)
  expect(sameBytes(digest, Uint8Array.of(1, 2, 3))).toBe(true)
  for (const other of [[0, 2, 3], [1, 2, 4], [1, 2], [1, 2, 3, 0], []]) {
    expect(sameBytes(digest, Uint8Array.from(other))).toBe(false)
    expect(sameBytes(Uint8Array.from(other), digest)).toBe(false)
  }
  expect(sameBytes(Uint8Array.of(1, 0), Uint8Array.of(1))).toBe(false)
})
