import { assert, property, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newUploadId } from '../../src/core/new-upload-id.ts'
import { parseUploadId } from '../../src/core/upload-id.ts'

const random = (bytes: Uint8Array<ArrayBuffer>): Uint8Array => crypto.getRandomValues(bytes)

test('new ids have 140 bits, are lower case, and parse', () => {
  const ids = new Set(Array.from({ length: 1000 }, () => newUploadId(random)))
  expect(ids.size).toBe(1000)
  for (const id of ids) expect(id).toMatch(/^[a-z2-9]{28}$/)
  for (const id of ids) expect(parseUploadId(id)).toBe(id)
})

test('every random bit of the five that a character holds counts', () => {
  const characters = new Set(
    Array.from({ length: 32 }, (_, value) => newUploadId((bytes) => bytes.fill(value)).charAt(0)),
  )
  expect(characters.size).toBe(32)
})

test('a source of random bytes that gives too few is found out', () => {
  expect(() => newUploadId(() => new Uint8Array(4))).toThrow(TypeError)
})

describe('what is no id', () => {
  test.each([
    '',
    'short',
    '..',
    'a'.repeat(21),
    'a'.repeat(65),
    `${'a'.repeat(28)}\n`,
    `${'a'.repeat(27)}.`,
    `../${'a'.repeat(28)}`,
    `${'a'.repeat(14)}/${'a'.repeat(14)}`,
    `${'a'.repeat(14)}\0${'a'.repeat(14)}`,
    `${'a'.repeat(14)}%2e${'a'.repeat(14)}`,
    `${'a'.repeat(27)}ä`,
    undefined,
    null,
    7,
    ['a'.repeat(28)],
  ])('%j', (text) => {
    expect(parseUploadId(text)).toBeUndefined()
  })

  test('anything with a character that means something in a path or a query', () => {
    assert(
      property(string({ unit: 'binary-ascii', minLength: 22, maxLength: 64 }), (text) => {
        expect(parseUploadId(text) !== undefined).toBe(/^[A-Za-z0-9_-]+$/.test(text) && text.length >= 22)
      }),
    )
  })
})
