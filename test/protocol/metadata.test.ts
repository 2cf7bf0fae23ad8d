import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatMetadata, metadataRecord, metadataText, parseMetadata } from '../../src/protocol/metadata.ts'
import type { MetadataPairs } from '../../src/protocol/metadata.ts'
import { isBlankField } from '../../src/protocol/whitespace.ts'

function pairsOf(raw: string): MetadataPairs {
  const parsed = parseMetadata(raw)
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.value
}

const texts = (raw: string): Record<string, string> => ({ ...metadataRecord(pairsOf(raw)) })

describe('parseMetadata', () => {
  test.each([
    ['T-M1', 'filename d29ybGQ=,is_confidential', { filename: 'world', is_confidential: '' }],
    ['T-M2: no value', 'k', { k: '' }],
    ['T-M2: trailing space', 'k ', { k: '' }],
    ['T-M2: trailing space before a comma', 'k ,b Yg==', { k: '', b: 'b' }],
    ['T-M6: white space around commas', 'a YQ==, b Yg== \t,\tc Yw==', { a: 'a', b: 'b', c: 'c' }],
    ['keys differ in case', 'a YQ==,A Yg==', { a: 'a', A: 'b' }],
    ['odd but legal keys', '=;"/\\ YQ==', { '=;"/\\': 'a' }],
  ])('%s', (_, raw, expected) => {
    expect(texts(raw)).toEqual(expected)
  })

  test.each([
    ['T-M3: duplicate key', 'a YQ==,a Yg=='],
    ['T-M3: duplicate key without values', 'a,a'],
    ['T-M3: duplicate __proto__', '__proto__ YQ==,__proto__ Yg=='],
    ['T-M4: two spaces', 'a b c'],
    ['T-M4: a space before the value', 'a  YQ=='],
    ['T-M4: only a comma', ' ,'],
    ['T-M4: empty first', ',a YQ=='],
    ['T-M4: empty last', 'a YQ==,'],
    ['T-M4: tab in key', 'a\tb YQ=='],
    ['T-M5: not Base64', 'a !!!'],
    ['T-M5: unpadded', 'a YQ'],
    ['T-M5: base64url', 'a _-_-'],
    ['T-M5: trailing garbage', 'a YQ==x'],
    ['T-M8: key outside ASCII', '\u00e9 YQ=='],
    ['control character in key', 'a\u0000 YQ=='],
    ['line end in key', 'a\r\nX YQ=='],
    ['nothing at all', ''],
  ])('refuses %s', (_, raw) => {
    const parsed = parseMetadata(raw)
    expect(parsed).toMatchObject({ ok: false })
    if (!parsed.ok) expect(parsed.reason).toMatch(/^[\x20-\x7e]+$/)
  })

  test('T-M7: blank headers are known before parsing', () => {
    expect([isBlankField(''), isBlankField(' \t'), isBlankField('a'), isBlankField('\n')]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test('limits count pairs and bytes of the header', () => {
    expect(parseMetadata('a,b', { maxPairs: 2, maxBytes: 3 }).ok).toBe(true)
    expect(parseMetadata('a,b,c', { maxPairs: 2 }).ok).toBe(false)
    expect(parseMetadata('a,b', { maxBytes: 2 }).ok).toBe(false)
    const many = Array.from({ length: 10_000 }, (_, index) => `k${index}`).join(',')
    expect(parseMetadata(many, { maxPairs: 64 })).toMatchObject({ ok: false })
    expect(pairsOf(many).size).toBe(10_000)
  })

  test('keys named like members of Object are keys like any other', () => {
    const record = metadataRecord(pairsOf('__proto__ YQ==,constructor Yg==,toString,hasOwnProperty'))
    expect(Object.keys(record)).toEqual(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
    expect(Object.getPrototypeOf(record)).toBeNull()
    expect(record['__proto__']).toBe('a')
    expect(Object.isFrozen(record)).toBe(true)
    expect(({} as Record<string, unknown>)['a']).toBeUndefined()
  })

  test('text that is not UTF-8 is replaced, a byte order mark stays', () => {
    expect(metadataText(Uint8Array.of(0x61, 0xff, 0x62))).toBe('a\ufffdb')
    expect(metadataText(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa')
  })

  test('any bytes under any legal key come back', () => {
    const key = fc.string({
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
      minLength: 1,
    })
    const legal = key.filter((text) => !text.includes(','))
    const pairs = fc.uniqueArray(fc.tuple(legal, fc.uint8Array()), {
      minLength: 1,
      selector: ([name]) => name,
    })
    fc.assert(
      fc.property(pairs, (list) => {
        const raw = formatMetadata(list)
        expect(raw).not.toMatch(/[\r\n]/)
        expect([...pairsOf(raw)]).toEqual(list)
      }),
    )
  })

  test.each(['', 'a b', 'a,b', 'a\r\n', '\u00e9'])('formatMetadata refuses the key %j', (key) => {
    expect(() => formatMetadata([[key, new Uint8Array()]])).toThrow(TypeError)
  })
})
