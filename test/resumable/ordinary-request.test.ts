import { expect, test } from 'vitest'
import type { FinishContext } from '../../src/core/ports/hooks.ts'
import type { Json } from '../../src/core/upload.ts'
import { ordinaryRequest, withCircumstances } from '../../src/node/resumable/ordinary-request.ts'

const signal = new AbortController().signal

interface Facts {
  readonly metadata?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly target?: string
  readonly serverMetadata?: Readonly<Record<string, Json>>
}

function made(facts: Facts): ReturnType<typeof ordinaryRequest> {
  const { metadata = {}, headers = {}, target = '/photos?x=1', serverMetadata = {} } = facts
  const context = {
    upload: { id: 'some-id', offset: 7, owner: 'ann', metadata, serverMetadata },
    idempotencyKey: 'some-id',
    attempt: 2,
    creation: { method: 'POST', target, headers },
    read: () => {
      throw new Error('nobody reads')
    },
  } as unknown as FinishContext
  return ordinaryRequest(context, { basePath: '/photos/', method: 'PUT' }, '/a/file', signal)
}

test.each<[Facts, string]>([
  [{ metadata: { filetype: 'image/png' } }, 'image/png'],
  [{ metadata: { type: 'Text/HTML; charset="utf-8"' } }, 'Text/HTML; charset="utf-8"'],
  [{ metadata: { contentType: 'video/mp4;codecs=avc1.42E01E' } }, 'video/mp4;codecs=avc1.42E01E'],
  [{ metadata: { filetype: 'image/gif', type: 'image/png' } }, 'image/gif'],
  [{ metadata: { filetype: 'no type' }, headers: { 'content-type': 'text/csv' } }, 'text/csv'],
  [{ metadata: { filetype: 'a/b\r\nX-Evil: 1' } }, 'application/octet-stream'],
  [{ metadata: { filetype: 'a/b; x=\u{1F600}' } }, 'application/octet-stream'],
  [{ metadata: { filetype: '' } }, 'application/octet-stream'],
  [{ headers: { 'content-type': 'application/offset+octet-stream' } }, 'application/octet-stream'],
  [{ headers: { 'content-type': 'Application/Offset+Octet-Stream;x' } }, 'application/octet-stream'],
  [{ headers: { 'content-type': 'text/csv' } }, 'text/csv'],
  [{}, 'application/octet-stream'],
])('%o is of type %s', (facts, type) => {
  expect(made(facts).headers['content-type']).toBe(type)
})

test('a type of many parameters takes no time to read', () => {
  const filetype = `a/b${';x='.repeat(20_000)}\u0000`
  const beforeMs = performance.now()
  expect(made({ metadata: { filetype } }).headers['content-type']).toBe('application/octet-stream')
  expect(performance.now() - beforeMs).toBeLessThan(500)
})

test.each([
  ['/photos?x=1', '/photos?x=1'],
  ['http://photos.example:80/photos/?x=http://y', '/photos/?x=http://y'],
  ['https://photos.example?x', '/?x'],
])('the target %s is asked as %s', (target, url) => {
  expect(made({ target }).target).toBe(url)
})

test('fields are those that were kept, with the true length', () => {
  const headers = { 'user-agent': 'tus', 'content-length': '99', accept: 'text/*' }
  expect(made({ headers })).toMatchObject({
    method: 'PUT',
    headers: { 'user-agent': 'tus', accept: 'text/*', 'content-length': '7' },
  })
})

test('circumstances come back, and handlers see only what hooks have added', () => {
  const circumstances = {
    host: 'photos.example',
    isSecure: true,
    peerAddress: '10.1.2.3',
    mount: { url: '/?x=1', baseUrl: '/photos' },
  }
  const serverMetadata = withCircumstances({ album: 3 }, circumstances)
  // As the catalog keeps it.
  const stored = JSON.parse(JSON.stringify(serverMetadata)) as Record<string, Json>
  expect(made({ serverMetadata: stored })).toMatchObject({
    ...circumstances,
    upload: {
      uploadId: 'some-id',
      idempotencyKey: 'some-id',
      attempt: 2,
      owner: 'ann',
      sizeBytes: 7,
      path: '/a/file',
      serverMetadata: { album: 3 },
    },
  })
  const nothing = { host: undefined, isSecure: false, peerAddress: undefined, mount: undefined }
  expect(made({ serverMetadata: { 'carryon.request': 'nonsense' } })).toMatchObject(nothing)
  expect(withCircumstances({ album: 3 }, undefined)).toEqual({ album: 3 })
})
