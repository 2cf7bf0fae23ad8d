import { expect, test } from 'vitest'
import type { ResponseHead } from '../../../src/client/ports/transport.ts'
import { expiresAtMsOf, lengthOf, locationOf, metadataOf, offsetOf } from '../../../src/client/tus-answers.ts'

function answer(headers: Readonly<Record<string, string>>, url = 'https://host.test/files'): ResponseHead {
  return { status: 201, url, header: (name) => headers[name] }
}

test.each([
  ['0', 0],
  ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ['9007199254740992', undefined],
  ['12abc', undefined],
  ['1e3', undefined],
  ['0, 5', undefined],
  ['-1', undefined],
  ['', undefined],
])('an offset %j', (text, expected) => {
  expect(offsetOf(answer({ 'Upload-Offset': text }))).toBe(expected)
  expect(lengthOf(answer({ 'Upload-Length': text }))).toBe(expected)
})

test('what is missing is undefined, never 0', () => {
  const nothing = answer({})
  expect([offsetOf, lengthOf, expiresAtMsOf, metadataOf].map((read) => read(nothing, 0))).toEqual(
    Array.from({ length: 4 }),
  )
})

test.each([
  ['Wed, 25 Jun 2014 16:00:00 GMT', Date.UTC(2014, 5, 25, 16)],
  ['Wednesday, 25-Jun-14 16:00:00 GMT', Date.UTC(2014, 5, 25, 16)],
  ['2014-06-25T16:00:00Z', undefined],
  ['Wed, 99 Jun 2014 16:00:00 GMT', undefined],
  ['1403712000', undefined],
])('Upload-Expires: %s', (text, expected) => {
  expect(expiresAtMsOf(answer({ 'Upload-Expires': text }), 0)).toBe(expected)
})

test('an expiry is put on our clock when the server says how late it is for it', () => {
  const headers = { 'Upload-Expires': 'Wed, 25 Jun 2014 17:00:00 GMT', Date: 'Wed, 25 Jun 2014 16:00:00 GMT' }
  expect(expiresAtMsOf(answer(headers), 5000)).toBe(3_605_000)
})

test('metadata is read as Unicode text; what is malformed is none', () => {
  const read = metadataOf(answer({ 'Upload-Metadata': 'filename 8J+YgA==,__proto__ eA==,empty' }))
  expect(Object.entries(read ?? {})).toEqual([
    ['filename', '\u{1F600}'],
    ['__proto__', 'x'],
    ['empty', ''],
  ])
  expect(metadataOf(answer({ 'Upload-Metadata': 'a !!!' }))).toBeUndefined()
})

const ENDPOINT = 'https://host.test:8443/api/files?token=x'

test.each([
  ['https://other.test/u/1', 'https://other.test/u/1'],
  ['/u/1', 'https://host.test:8443/u/1'],
  ['1', 'https://host.test:8443/api/1'],
  ['//cdn.test/1', 'https://cdn.test/1'],
  ['?id=1', 'https://host.test:8443/api/files?id=1'],
  ['http://host.test:8443/u/1', 'https://host.test:8443/u/1'],
  ['http://host.test/u/1', 'https://host.test:8443/u/1'],
  ['http://host.test:1080/u/1', 'https://host.test:8443/u/1'],
])('Location: %s', (location, expected) => {
  expect(locationOf(answer({ Location: location }), ENDPOINT)).toBe(expected)
})

test('an address in the clear stays so when the endpoint is', () => {
  expect(locationOf(answer({ Location: 'http://b.test/1' }), 'http://a.test/')).toBe('http://b.test/1')
  expect(locationOf(answer({ Location: 'https://a.test/1' }), 'http://a.test/')).toBe('https://a.test/1')
})

test('a relative endpoint of a page is resolved by where the answer came from', () => {
  expect(locationOf(answer({ Location: '1' }, 'https://page.test/files/'), '/files/')).toBe(
    'https://page.test/files/1',
  )
})

test.each([undefined, '', 'http://other.test/1', 'javascript:alert(1)', 'file:///etc/passwd', 'https://'])(
  'the Location %j cannot be used',
  (location) => {
    const headers: Record<string, string> = location === undefined ? {} : { Location: location }
    expect(() => locationOf(answer(headers), ENDPOINT)).toThrow(
      expect.objectContaining({ code: 'protocol', url: 'https://host.test:8443/api/files?…' }),
    )
  },
)
