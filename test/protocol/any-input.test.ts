import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBase64 } from '../../src/protocol/base64.ts'
import { evaluateConditions } from '../../src/protocol/conditional.ts'
import { CHECKSUM_ALGORITHMS, parseUploadChecksum } from '../../src/protocol/digest.ts'
import { parseHost } from '../../src/protocol/host.ts'
import { parseHttpDate } from '../../src/protocol/http-date.ts'
import { parseDecimal } from '../../src/protocol/integer.ts'
import { parseMetadata } from '../../src/protocol/metadata.ts'
import { effectiveMethod } from '../../src/protocol/method-override.ts'
import { excerpt } from '../../src/protocol/parsed.ts'
import type { Parsed } from '../../src/protocol/parsed.ts'
import { chooseRange } from '../../src/protocol/range.ts'
import { parseDeferLength, parseTusResumable, parseUploadConcat } from '../../src/protocol/tus1/headers.ts'
import { pathOfTarget, resolveConcatUrl, uploadIdFromPath } from '../../src/protocol/upload-url.ts'

const parsers: Readonly<Record<string, (text: string) => Parsed<unknown>>> = {
  decodeBase64,
  parseDecimal,
  parseMetadata,
  parseHost,
  parseTusResumable,
  parseDeferLength,
  parseUploadConcat,
  parseUploadChecksum: (text) => parseUploadChecksum(text, CHECKSUM_ALGORITHMS),
  parseHttpDate: (text) => parseHttpDate(text, 0),
  effectiveMethod: (text) => effectiveMethod('POST', text),
}

// Whole fields and pieces of them, so that the random text gets past the first check.
const piece = fc.constantFrom(
  'final;',
  'partial',
  'sha1 ',
  'YQ==',
  ',',
  ' ',
  '\t',
  '1',
  '0',
  'bytes=',
  '-',
  '"',
  'W/',
  '%2e',
  '/files/',
  'https://',
  '..',
  '[',
  ']',
  ':',
  '::1',
  'GMT',
  '\r\n',
  '\0',
  '\u00e9',
  '\u{1f600}',
  '\ud800',
  '__proto__',
  '\\',
)
const anyText = fc
  .array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 20 })), { maxLength: 12 })
  .map((parts) => parts.join(''))

describe('any text', () => {
  test.each(Object.entries(parsers))('%s never throws, and says no in one printable sentence', (_, parse) => {
    fc.assert(
      fc.property(anyText, (text) => {
        const parsed = parse(text)
        if (parsed.ok) return
        expect(parsed.reason).toMatch(/^[A-Z"][\x20-\x7e]{0,300}\.$/)
      }),
      { numRuns: 300 },
    )
  })

  test('the others never throw either', () => {
    fc.assert(
      fc.property(anyText, anyText, (text, other) => {
        chooseRange(text, 10)
        pathOfTarget(text)
        uploadIdFromPath(text, '/files/')
        resolveConcatUrl(text, { basePath: '/files/', origins: ['https://h', other] })
        const fields = {
          ifMatch: text,
          ifNoneMatch: other,
          ifModifiedSince: text,
          ifUnmodifiedSince: other,
          ifRange: text,
        }
        evaluateConditions(fields, { method: 'GET', etag: '"a"', lastModifiedMs: 0, nowMs: 0 })
      }),
      { numRuns: 300 },
    )
  })

  test('megabytes of one character are answered at once', () => {
    for (const character of [' ', ',', '0', 'a', '"', ':', '.', '%', '=', '/', '%41']) {
      const text = character.repeat(300_000)
      for (const parse of Object.values(parsers)) parse(`x${text}x`)
      chooseRange(`bytes=${text}`, 10)
      resolveConcatUrl(text, { basePath: '/files/', origins: [] })
      const fields = { ifMatch: text, ifNoneMatch: `"${text}` }
      evaluateConditions(fields, { method: 'GET', etag: '"a"', nowMs: 0 })
    }
  })
})

test('excerpt is short, quoted and printable', () => {
  expect(excerpt('a"b\\c\r\nd\u0000\u00e9')).toBe('"a?b?c??d??"')
  expect(excerpt('x'.repeat(41))).toBe(`"${'x'.repeat(40)}..."`)
  expect(excerpt('x'.repeat(40))).toBe(`"${'x'.repeat(40)}"`)
})
