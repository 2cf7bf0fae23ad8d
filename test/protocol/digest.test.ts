import { describe, expect, test } from 'vitest'
import { encodeBase64 } from '../../src/protocol/base64.ts'
import {
  CHECKSUM_ALGORITHMS,
  DIGEST_BYTES,
  isDigestAlgorithm,
  parseUploadChecksum,
} from '../../src/protocol/digest.ts'

const SHA1 = 'Kq5sNclPz7QV2+lfQIuc6R7oRu0='

describe('parseUploadChecksum', () => {
  test('T-K1: the example of the text', () => {
    const parsed = parseUploadChecksum(`sha1 ${SHA1}`, ['sha1'])
    expect(parsed).toMatchObject({ ok: true, value: { algorithm: 'sha1' } })
    if (parsed.ok)
      expect(Buffer.from(parsed.value.digest).toString('hex')).toBe(
        '2aae6c35c94fcfb415dbe95f408b9ce91ee846ed',
      )
  })

  test.each(CHECKSUM_ALGORITHMS)('%s: its length, and no other', (algorithm) => {
    const length = DIGEST_BYTES[algorithm]
    const field = (bytes: number): string => `${algorithm} ${encodeBase64(new Uint8Array(bytes))}`
    expect(parseUploadChecksum(field(length), CHECKSUM_ALGORITHMS).ok).toBe(true)
    for (const wrong of [0, length - 1, length + 1]) {
      expect(parseUploadChecksum(field(wrong), CHECKSUM_ALGORITHMS)).toMatchObject({
        ok: false,
        code: 'malformed',
      })
    }
  })

  test.each(['sha3', 'sha256', 'constructor', 'tostring', 'crc-32', 'md4'])(
    'T-K3: %s is not supported here',
    (name) => {
      const expected = { ok: false, code: 'unsupported' }
      expect(parseUploadChecksum(`${name} ${SHA1}`, ['sha1'])).toMatchObject(expected)
    },
  )

  test.each([
    ['upper case (T-K4)', `SHA1 ${SHA1}`],
    ['first letter in upper case (T-K4)', `Sha1 ${SHA1}`],
    ['no space', `sha1${SHA1}`],
    ['no digest', 'sha1'],
    ['two spaces', `sha1  ${SHA1}`],
    ['tab', `sha1\t${SHA1}`],
    ['not Base64', 'sha1 !!!'],
    ['hexadecimal', 'sha1 2aae6c35c94fcfb415dbe95f408b9ce91ee846ed'],
    ['unpadded', `sha1 ${SHA1.slice(0, -1)}`],
    ['two header lines', `sha1 ${SHA1}, sha1 ${SHA1}`],
    ['empty', ''],
    ['no name', ` ${SHA1}`],
    ['line end', `sha1 ${SHA1}\r\n`],
  ])('T-K5: malformed: %s', (_, raw) => {
    expect(parseUploadChecksum(raw, CHECKSUM_ALGORITHMS)).toMatchObject({ ok: false, code: 'malformed' })
  })
})

test('isDigestAlgorithm knows own names only', () => {
  expect(['sha1', 'crc32', 'SHA1', 'constructor', '__proto__', ''].map(isDigestAlgorithm)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ])
})
