import { mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { placeOf } from '../../src/node/claims/destination.ts'
import type { Destination, Uploads } from '../../src/node/index.ts'
import { cleanUp, opened, temporaryDirectory, uploaded } from './scene.ts'

afterAll(cleanUp)

const HOSTILE: readonly (string | undefined)[] = [
  '../../etc/passwd',
  '../evil',
  '..',
  '.',
  '',
  '/etc/passwd',
  '/',
  'a/b/c.txt',
  '.git/hooks/pre-commit',
  '..\\..\\windows\\system32\\x.dll',
  'C:\\temp\\x.txt',
  '..%2f..%2fetc%2fpasswd',
  'nul\u0000byte.txt',
  '\u0000',
  'line\r\nbreak.txt',
  `${'x'.repeat(296)}.pdf`,
  '\u{1F642}'.repeat(75),
  'dots...',
  'spaces   ',
  'CON',
  'con.txt',
  'COM1.log',
  '.bashrc',
  '....//....//x',
  'gpj\u202Eexe.txt',
  'a:stream',
  '*?<>|"',
  '~',
  '$(reboot)',
  '-rf',
  'undefined',
  undefined,
]

describe('the documented call, with a name from a hostile client', () => {
  let uploads: Uploads
  beforeAll(async () => {
    uploads = await opened({ dir: temporaryDirectory(), durability: 'process' })
  })

  test.each(HOSTILE.map((name) => [JSON.stringify(name), name] as const))('%s', async (_shown, name) => {
    const root = temporaryDirectory()
    const dest = join(root, 'a/b/dest')
    mkdirSync(dest, { recursive: true })
    const { id } = await uploaded(uploads, 'mine', name === undefined ? {} : { metadata: { filename: name } })
    const claim = await uploads.claim({ timeoutMs: 0 })
    if (claim === undefined) throw new Error('there is no claim')
    expect(claim.sentMetadata['filename']).toBe(name)
    const path = await claim.save(`${dest}/${claim.record.metadata.filename}`)
    await claim.done()
    const [file, ...others] = readdirSync(dest)
    expect(others).toEqual([])
    expect(path).toBe(join(dest, file ?? ''))
    expect(readFileSync(path, 'utf8')).toBe('mine')
    expect(file).not.toMatch(/^\.|[/\\\p{Cc}:*?"<>|]|[. ]$/u)
    expect(Buffer.byteLength(file ?? '')).toBeLessThanOrEqual(200)
    expect(readdirSync(join(root, 'a/b'))).toEqual(['dest'])
    expect(readdirSync(join(root, 'a'))).toEqual(['b'])
    if (name === undefined || ['', '.', '..', '/', '\u0000'].includes(name)) expect(file).toBe(id)
  })
})

const id = 'an-upload-id-of-22-chars'
const naming = { id, filename: 'sent.txt', unsafeName: false }
const place = (destination: Destination): string => {
  const { dir, name } = placeOf(destination, naming)
  return join(relative(process.cwd(), dir), name)
}

test('other paths', () => {
  expect(place('x.txt')).toBe('x.txt')
  expect(place('./dest/x.txt')).toBe('dest/x.txt')
  expect(place('../dest/x.txt')).toBe('../dest/x.txt')
  expect(place('../../dest//./x.txt')).toBe('../../dest/x.txt')
  expect(place('./dest/')).toBe('dest/sent.txt')
  expect(place('./dest/..')).toBe(`dest/${id}`)
  expect(place('./dest/.')).toBe(`dest/${id}`)
  expect(placeOf('/srv/dest/x.txt', naming)).toEqual({ dir: '/srv/dest', name: 'x.txt' })
  expect(placeOf('/x.txt', naming)).toEqual({ dir: '/', name: 'x.txt' })
  expect(place({ dir: './dest' })).toBe('dest/sent.txt')
  expect(place({ dir: './dest', name: '../../x.txt' })).toBe('dest/x.txt')
  expect(place({ dir: './dest', name: '..' })).toBe(`dest/${id}`)
})

test('a value that climbs out of its folder is refused, whichever key it comes from', () => {
  for (const value of [
    '../../etc/passwd',
    'a/../../../etc/passwd',
    '../x',
    '.. /x',
    '.../../x',
    'a/../b',
    '..\u0000/x',
  ]) {
    expect(() => place(`./dest/${value}`), value).toThrow(RangeError)
    expect(() => place({ dir: `./dest/${value}/y` }), value).toThrow(RangeError)
  }
  for (const value of ['a\u0000b/x', 'a/b\u0000/x'])
    expect(() => place(`./dest/${value}`)).toThrow(RangeError)
  expect(() => place('')).toThrow(RangeError)
})

test('an absolute value stays below the folder that stands before it', () => {
  expect(place('./dest//etc/passwd')).toBe('dest/etc/passwd')
})

test('a path can be taken as it is', () => {
  const unsafe = { ...naming, unsafeName: true }
  expect(placeOf('./dest/../other/.hidden:x', unsafe)).toEqual({ dir: resolve('other'), name: '.hidden:x' })
  expect(placeOf({ dir: './a/../b', name: '.x' }, unsafe)).toEqual({ dir: resolve('b'), name: '.x' })
  for (const name of ['', '.', '..', 'a/b', 'a\u0000']) {
    expect(() => placeOf({ dir: 'x', name }, unsafe), name).toThrow(RangeError)
  }
  expect(() => placeOf('/', unsafe)).toThrow(RangeError)
})
