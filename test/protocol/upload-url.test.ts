import { describe, expect, test } from 'vitest'
import {
  isCreationPath,
  pathOfTarget,
  resolveConcatUrl,
  uploadIdFromPath,
} from '../../src/protocol/upload-url.ts'

const ID = 'abcdefghijklmnopqrst_-'
const ESCAPED = `%61bcdefghijklmnopqrst%5F%2d`
const context = { basePath: '/files/', origins: ['https://files.example', 'http://127.0.0.1:1080'] }

describe('pathOfTarget', () => {
  test.each([
    ['/files/a', '/files/a'],
    ['/files/a?x=/y?z', '/files/a'],
    ['/', '/'],
    ['//h/files/a', '//h/files/a'],
    ['http://h:80/files/a?x', '/files/a'],
    ['http://h', '/'],
    ['http://h?x', '/'],
    ['*', undefined],
    ['', undefined],
    ['h:443', undefined],
    ['files/a', undefined],
  ])('%j', (target, path) => {
    expect(pathOfTarget(target)).toBe(path)
  })
})

test('isCreationPath takes the base path with and without its last slash', () => {
  for (const basePath of ['/files', '/files/']) {
    const paths = ['/files', '/files/', '/files//', '/file', '/files/a', '/Files', '']
    expect(paths.map((path) => isCreationPath(path, basePath))).toEqual([
      true,
      true,
      ...Array<boolean>(5).fill(false),
    ])
  }
  expect(isCreationPath('/', '/')).toBe(true)
})

describe('uploadIdFromPath', () => {
  test.each([
    [`/files/${ID}`, '/files/'],
    [`/files/${ID}`, '/files'],
    [`/files/${ESCAPED}`, '/files/'],
    [`/${ID}`, '/'],
    [`/a/b/${ID}`, '/a/b/'],
  ])('%s under %s', (path, basePath) => {
    expect(uploadIdFromPath(path, basePath)).toBe(ID)
  })

  test('lengths 22 to 64 are ids, others are not', () => {
    const lengths = [0, 1, 21, 22, 64, 65, 100_000]
    const found = lengths.map(
      (length) => uploadIdFromPath(`/files/${'a'.repeat(length)}`, '/files/') !== undefined,
    )
    expect(found).toEqual([false, false, false, true, true, false, false])
  })
})

// Each stands where an id would stand, or around one.
const TRICKS: readonly string[] = [
  '..',
  '../',
  '../..',
  '../../etc/passwd',
  `../${ID}`,
  `../files/${ID}`,
  `./../files/${ID}`,
  `././${ID}`,
  `.//${ID}`,
  `${ID}/..`,
  `${ID}/../${ID}`,
  `${ID}/.`,
  `${ID}//`,
  `${ID}/x`,
  `/${ID}`,
  `x/${ID}`,
  `.${ID}`,
  `${ID}.`,
  `${ID}.info`,
  '%2e%2e',
  '%2E%2E',
  '%2e%2e%2f',
  '..%2f',
  '..%2F..%2Fetc%2Fpasswd',
  '.%2e/',
  '%2e./',
  '%2e',
  '%2e%2e/%2e%2e',
  '%252e%252e',
  '%252e%252e%252f',
  '%25252e',
  '..%252f..%252f',
  '..%255c',
  '%255c',
  '..\\',
  '..\\..\\windows',
  '%5c',
  '..%5c',
  '..%5c..%5cetc',
  '\\\\host\\share',
  `.\\${ID}`,
  `${ID}\\`,
  '%c0%ae%c0%ae',
  '%c0%ae%c0%ae%c0%af',
  '%c0%2e',
  '%e0%80%ae',
  '%uff0e%uff0e',
  '%u002e',
  '..%c0%af',
  '..%c1%9c',
  '\uff0e\uff0e\uff0f',
  '\u2024\u2024',
  '..\u2215',
  `${ID}\u0000`,
  `${ID}%00`,
  `${ID}%00.jpg`,
  '%00',
  `%00${ID}`,
  `${ID}%0a`,
  `${ID}%0d%0aX:y`,
  `${ID}\n`,
  `${ID}%20`,
  `${ID} `,
  `${ID}%09`,
  `${ID};x`,
  `${ID}%3b`,
  `${ID}%3fx`,
  `${ID}%23`,
  `${ID}#x`,
  `${ID}%2f`,
  `${ID}%2F..`,
  `%2f${ID}`,
  `${ID}%`,
  `${ID}%4`,
  `${ID}%zz`,
  `%2561${ID.slice(1)}`,
  '..;/',
  '.;/',
  '~',
  '~root',
  'C:',
  'C:\\x',
  'con',
  '..::$INDEX_ALLOCATION',
  `${ID}::$DATA`,
  '...',
  '....//',
  '%ff',
  `${ID}%80`,
]

describe('path tricks', () => {
  test('there are at least 60', () => {
    expect(new Set(TRICKS).size).toBeGreaterThanOrEqual(60)
  })

  test.each(TRICKS)('%j names no upload', (trick) => {
    expect(uploadIdFromPath(`/files/${trick}`, '/files/')).toBeUndefined()
    const urls = [trick, `./${trick}`, `/files/${trick}`, `https://files.example/files/${trick}`]
    for (const url of urls) expect([undefined, 'foreign']).toContain(resolveConcatUrl(url, context))
  })

  test.each([
    `/files/../files/${ID}`,
    `/Files/${ID}`,
    `//files/${ID}`,
    `/%66iles/${ID}`,
    `/files%2f${ID}`,
    `/other/${ID}`,
    ID,
  ])('%s is not under the base path', (path) => {
    expect(uploadIdFromPath(path, '/files/')).toBeUndefined()
  })
})

describe('resolveConcatUrl', () => {
  test.each([
    `/files/${ID}`,
    `/files/${ID}/`,
    `/files/${ID}?x=1`,
    `/files/${ID}/?x=../..`,
    `/files/${ESCAPED}`,
    ID,
    `./${ID}`,
    `${ID}/`,
    `./${ID}?x`,
    ESCAPED,
    `https://files.example/files/${ID}`,
    `https://files.example/files/${ESCAPED}/?q`,
    `HTTPS://FILES.example:443/files/${ID}`,
    `https://files.example:/files/${ID}`,
    `http://127.0.0.1:1080/files/${ID}`,
  ])('T-N4: %s', (url) => {
    expect(resolveConcatUrl(url, context)).toBe(ID)
  })

  test.each([
    `https://evil.example/files/${ID}`,
    `https://files.example.evil/files/${ID}`,
    `https://files.example:8443/files/${ID}`,
    `http://files.example/files/${ID}`,
    `https://u@files.example/files/${ID}`,
    `https://files.example@evil/files/${ID}`,
    `https://files.example:443@evil/files/${ID}`,
    `https://evil\\@files.example/files/${ID}`,
    `//files.example/files/${ID}`,
    `http://127.0.0.1/files/${ID}`,
    `http://[::1]:1080/files/${ID}`,
    `ftp://files.example/files/${ID}`,
    `file:///files/${ID}`,
    `javascript:${ID}`,
    `data:,${ID}`,
    `https:/files.example/files/${ID}`,
    `https:${ID}`,
  ])('T-N4: foreign %s', (url) => {
    expect(resolveConcatUrl(url, context)).toBe('foreign')
  })

  test.each([
    '',
    '.',
    './',
    '/',
    '?',
    `?${ID}`,
    '/files/',
    '/files',
    'https://files.example',
    `https://files.example/${ID}`,
  ])('%j names no upload here', (url) => {
    expect(resolveConcatUrl(url, context)).toBeUndefined()
  })

  test('the public base path counts where a proxy puts something before ours', () => {
    const behindProxy = { ...context, publicBasePath: '/app/files' }
    for (const path of [`/app/files/${ID}`, `/files/${ID}`, `https://files.example/app/files/${ID}/`]) {
      expect(resolveConcatUrl(path, behindProxy)).toBe(ID)
    }
    expect(resolveConcatUrl(`/app/files/${ID}`, context)).toBeUndefined()
  })
})
