import { assert, property, string } from 'fast-check'
import { expect, test } from 'vitest'

import { parseUploadId } from '../../src/core/upload-id.ts'
import { finalName, numberedName } from '../../src/stores/file/final-name.ts'

const id = parseUploadId('0123456789abcdefghijkl')!
const createdAtMs = Date.UTC(2026, 10, 20, 23, 59)

function named(template: string, metadata: Record<string, string>): string {
  return finalName(template)({ id, metadata, createdAtMs })
}

test.each<[string, Record<string, string>, string]>([
  ['{id}', { filename: 'a.txt' }, id],
  ['{name}', { filename: 'a.txt' }, 'a.txt'],
  ['{name}', { name: 'b.txt' }, 'b.txt'],
  ['{name}', { filename: '', name: 'b.txt' }, 'b.txt'],
  ['{name}', {}, id],
  ['{name}', { filename: '....' }, id],
  ['{name}', { filename: '???' }, id],
  ['{name}', { filename: '/', name: 'b.txt' }, 'b.txt'],
  ['{name}', { filename: 'a/b/' }, 'b'],
  ['{id}.{ext}', { filename: 'файл.текст' }, `${id}.текст`],
  ['{id}.{ext}', { filename: 'v1.0 of the plan' }, id],
  ['{date}_{id}.{ext}', { filename: 'a.tar.gz' }, `2026-11-20_${id}.gz`],
  ['{id}.{ext}', { filename: 'noending' }, id],
  ['{id}.{ext}', {}, id],
  ['{id} {name}', { filename: '../../etc/passwd' }, `${id} passwd`],
  ['{name}', { filename: 'C:\\Users\\x\\photo.jpg' }, 'photo.jpg'],
  ['{name}', { filename: '.bashrc' }, 'bashrc'],
  ['{name}', { filename: 'a\u0000b\r\nc.txt' }, 'ab c.txt'],
  ['{name}', { filename: 'invoice\u202Efdp.exe' }, 'invoicefdp.exe'],
  ['{name}', { filename: 'con.txt' }, '_con.txt'],
  ['{name}', { filename: 'LPT1' }, '_LPT1'],
  ['{name}', { filename: 'console.txt' }, 'console.txt'],
  ['{name}', { filename: 'trailing. . ' }, 'trailing'],
  ['{name}', { filename: 'grüße 🎉.txt' }, 'grüße 🎉.txt'],
  ['{name}', { filename: 'u\u0308.txt' }, 'ü.txt'],
  ['{name}', { filename: '\uD800x' }, '\uFFFDx'],
])('%s with %o is %s', (template, metadata, expected) => {
  expect(named(template, metadata)).toBe(expected)
})

test('a name from the prototype is no name', () => {
  expect(named('{name}', Object.create({ filename: 'x' }))).toBe(id)
})

test('a long name keeps its ending and fits', () => {
  const long = named('{name}', { filename: `${'ü'.repeat(300)}.jpeg` })
  expect(long).toBe(`${'ü'.repeat(97)}.jpeg`)
  expect(Buffer.byteLength(numberedName(long, 12))).toBeLessThanOrEqual(200)
  expect(numberedName(long, 12)).toMatch(/ü \(12\)\.jpeg$/)
  expect(numberedName('a.tar.gz', 2)).toBe('a.tar (2).gz')
  expect(numberedName('noending', 2)).toBe('noending (2)')
  expect(numberedName('a.txt', 1)).toBe('a.txt')
})

test.each([
  '',
  '{id}/{name}',
  '..',
  '{id}..',
  '.{id}',
  'a\\b',
  '{user}',
  '{id',
  'id}',
  'a\u0000',
  '{}',
  'a:b',
  '/abs',
])('the template %j is refused', (template) => {
  expect(() => finalName(template)).toThrow(TypeError)
})

test('any text becomes one plain name, numbered or not', () => {
  const namer = finalName('{name}')
  assert(
    property(string({ unit: 'binary', maxLength: 300 }), (filename) => {
      const name = namer({ id, metadata: { filename }, createdAtMs })
      for (const final of [name, numberedName(name, 100), numberedName(name, id)]) {
        expect(Buffer.byteLength(final)).toBeLessThanOrEqual(200)
        expect(final).not.toMatch(/^[.\s]|[.\s]$|[/\\\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/u)
        expect(final).not.toBe('')
      }
    }),
  )
})
