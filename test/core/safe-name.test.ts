import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  cleanFileName,
  isCleanText,
  joinName,
  safeFileName,
  splitExtension,
} from '../../src/core/safe-name.ts'

const byteLength = (text: string): number => new TextEncoder().encode(text).length

describe('safeFileName', () => {
  test.each([
    ['photo.jpg', 'photo.jpg'],
    ['My holiday (1).tar.gz', 'My holiday (1).tar.gz'],
    [
      'r\u00e9sum\u00e9 \u6587\u66f8 \u{1f468}\u200d\u{1f469}.pdf',
      'r\u00e9sum\u00e9 \u6587\u66f8 \u{1f468}\u200d\u{1f469}.pdf',
    ],
    ['re\u0301sume\u0301', 'r\u00e9sum\u00e9'],
    ['../../etc/passwd', 'passwd'],
    ['/etc/passwd', 'passwd'],
    ['C:\\fakepath\\x.png', 'x.png'],
    ['a/b/', 'b'],
    ['a/..', 'a'],
    ['..\\..\\x', 'x'],
    ['..\r\nX: y', 'X_ y'],
    ['a\r\nb', 'a b'],
    ['a\u0000.exe', 'a.exe'],
    ['\u001b[31mred', '[31mred'],
    ['a\u0085\u009fb', 'ab'],
    ['photo\u202egpj.exe', 'photogpj.exe'],
    ['a\u2066b\u2069\u200f\u061c', 'ab'],
    ['.htaccess', 'htaccess'],
    ['. .x', 'x'],
    ['\u200b.x', 'x'],
    ['name. . .', 'name'],
    ['name.txt ', 'name.txt'],
    ['a<b>c:d"e|f?g*h', 'a_b_c_d_e_f_g_h'],
    ['file.txt:stream', 'file.txt_stream'],
    ['CON', '_CON'],
    ['con.txt', '_con.txt'],
    ['nul .tar.gz', '_nul .tar.gz'],
    ['COM1', '_COM1'],
    ['lpt\u00b2.x', '_lpt\u00b2.x'],
    ['CONIN$', '_CONIN$'],
    ['clock$.txt', '_clock$.txt'],
    ['console.log', 'console.log'],
    ['\ud800x', '\ufffdx'],
    ['\ufeffx', 'x'],
    ...['', ' ', '.', '..', '...', '/', '\\', '../..', '\u0000', '\u202e', '. . /', '___', '?*|'].map(
      (name) => [name, 'upload'],
    ),
  ])('%j', (name, expected) => {
    expect(safeFileName(name)).toBe(expected)
  })

  test('shortens the base, keeps the extension, cuts no character in two', () => {
    expect(safeFileName(`${'a'.repeat(4096)}.jpeg`)).toBe(`${'a'.repeat(195)}.jpeg`)
    expect(safeFileName(`${'\u{1f600}'.repeat(100)}.png`, { maxBytes: 32 })).toBe(
      `${'\u{1f600}'.repeat(7)}.png`,
    )
    expect(safeFileName(`a${' '.repeat(300)}b.png`)).toBe('a.png')
    expect(safeFileName(`CON${'x'.repeat(40)}.${'e'.repeat(16)}`, { maxBytes: 32 })).toBe(
      `CON${'x'.repeat(12)}.${'e'.repeat(16)}`,
    )
    expect(safeFileName(`CON${' '.repeat(40)}x.txt`, { maxBytes: 32 })).toBe('_CON.txt')
    expect(safeFileName(`con.${'x'.repeat(28)}`, { maxBytes: 32 })).toBe(`_con.${'x'.repeat(27)}`)
    expect(safeFileName('x'.repeat(201))).toBe('x'.repeat(200))
  })

  test.each([0, 31, 40.5, Number.NaN, Infinity])('maxBytes %s is a mistake', (maxBytes) => {
    expect(() => safeFileName('x', { maxBytes })).toThrow(RangeError)
  })

  test('long runs of dots and spaces take no quadratic time', () => {
    expect(safeFileName(`x${'. '.repeat(100_000)}y`)).toBe('x')
    expect(safeFileName('. '.repeat(100_000))).toBe('upload')
  })

  test('is one harmless path component for any text, and stays as it is', () => {
    const nasty = fc.constantFrom(
      '.',
      ' ',
      '/',
      '\\',
      '\0',
      'CON',
      'nul',
      '\u202e',
      '\r\n',
      ':',
      '\ud800',
      'e\u0301',
      '\u226e',
      '.txt',
    )
    const unit = fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), nasty)
    const name = fc.array(unit, { maxLength: 30 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(name, fc.integer({ min: 32, max: 64 }), (text, maxBytes) => {
        const safe = safeFileName(text, { maxBytes })
        expect(safe).not.toBe('')
        expect(byteLength(safe)).toBeLessThanOrEqual(maxBytes)
        expect(safe).not.toMatch(/[/\\<>:"|?*\p{Cc}\p{Bidi_Control}\u2028\u2029]/u)
        expect(safe).not.toMatch(/^[.\s]|[.\s]$/)
        expect(safe).not.toMatch(/^(?:con|prn|aux|nul|com[0-9]|lpt[0-9]) *(?:\.|$)/i)
        expect(safeFileName(safe, { maxBytes })).toBe(safe)
        expect(cleanFileName(text, { maxBytes }) ?? 'upload').toBe(safe)
        expect(isCleanText(safe)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe('splitExtension', () => {
  test.each([
    ['a.txt', 'a', '.txt'],
    ['a.tar.gz', 'a.tar', '.gz'],
    ['a', 'a', ''],
    ['.bashrc', '.bashrc', ''],
    ['a.', 'a.', ''],
    [
      '\u0444\u0430\u0439\u043b.\u0442\u0435\u043a\u0441\u0442',
      '\u0444\u0430\u0439\u043b',
      '.\u0442\u0435\u043a\u0441\u0442',
    ],
    ['x.\u6587\u66f8\u6587\u66f8\u6587\u66f8\u6587', 'x.\u6587\u66f8\u6587\u66f8\u6587\u66f8\u6587', ''],
    ['x.a b', 'x.a b', ''],
    ['', '', ''],
    ['v1.0 of the plan', 'v1.0 of the plan', ''],
    ['x.aaaaaaaaaaaaaaaaa', 'x.aaaaaaaaaaaaaaaaa', ''],
    ['x.\u00e9', 'x', '.\u00e9'],
  ])('%j', (name, base, ext) => {
    expect(splitExtension(name)).toEqual({ base, ext })
  })
})

test('joinName shortens the name, never the ending, and leaves no space before it', () => {
  expect(joinName('report', '.pdf')).toBe('report.pdf')
  expect(joinName('x'.repeat(300), ' (2).pdf')).toBe(`${'x'.repeat(192)} (2).pdf`)
  expect(joinName('\u{1f600}'.repeat(3), '.png', 15)).toBe('\u{1f600}\u{1f600}.png')
  expect(joinName('ab  cd', '.x', 6)).toBe('ab.x')
})

test.each([
  ['plain text 1', true],
  ['re\u0301sume\u0301', true],
  ['a/b', false],
  ['a\\b', false],
  ['a:b', false],
  ['a\u0000', false],
  ['a\u202e', false],
  ['\ud800', false],
])('isCleanText(%j) is %s', (text, expected) => {
  expect(isCleanText(text)).toBe(expected)
})
