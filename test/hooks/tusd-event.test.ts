import { describe, expect, test } from 'vitest'
import { messageOf, readStoredMessage, storeMessage } from '../../src/hooks/message.ts'
import {
  canonicalName,
  isStorable,
  liveRequest,
  storedRequest,
  tusdUpload,
} from '../../src/hooks/tusd-event.ts'
import { aCall, aRecord, aRequest, idOf, START_MS } from './samples.ts'

describe('an upload in the words of tusd', () => {
  test('has exactly its keys', () => {
    expect(tusdUpload(aRecord({ offset: 10 }), { Type: 'filestore', Path: '/data/1' })).toEqual({
      ID: aRecord().id,
      Size: 1000,
      SizeIsDeferred: false,
      Offset: 10,
      MetaData: { filename: 'a.png' },
      IsPartial: false,
      IsFinal: false,
      PartialUploads: null,
      Storage: { Type: 'filestore', Path: '/data/1' },
    })
  })

  test('an unknown length is 0 and deferred; a length of 0 is not', () => {
    expect(tusdUpload(aRecord({ length: undefined }), null)).toMatchObject({ Size: 0, SizeIsDeferred: true })
    expect(tusdUpload(aRecord({ length: 0 }), null)).toMatchObject({ Size: 0, SizeIsDeferred: false })
  })

  test('partial and final uploads; parts are ids', () => {
    const parts = [idOf('first'), idOf('second')]
    expect(tusdUpload(aRecord({ concat: { kind: 'partial' } }), null)).toMatchObject({
      IsPartial: true,
      IsFinal: false,
      PartialUploads: null,
    })
    expect(tusdUpload(aRecord({ concat: { kind: 'final', parts } }), null)).toMatchObject({
      IsPartial: false,
      IsFinal: true,
      PartialUploads: parts,
    })
  })
})

describe('a request in the words of tusd', () => {
  test('has the names that Go writes, all values, and Host', () => {
    expect(liveRequest(aRequest())).toEqual({
      Method: 'POST',
      URI: '/files/?project=7',
      RemoteAddr: '192.0.2.1',
      Header: {
        Host: ['upload.example.com'],
        'User-Agent': ['tus-js-client/4'],
        'Upload-Length': ['1000'],
        Authorization: ['Bearer open-sesame'],
        Cookie: ['session=secret-cake', 'theme=dark'],
        'X-Tenant': ['blue', 'green'],
      },
    })
  })

  test('is empty where there is none', () => {
    expect(JSON.stringify(liveRequest(undefined))).toBe('{"Method":"","URI":"","RemoteAddr":"","Header":{}}')
    expect(liveRequest(aRequest({ peerAddress: undefined })).RemoteAddr).toBe('')
  })

  test.each([
    ['tus-resumable', 'Tus-Resumable'],
    ['X-API-KEY', 'X-Api-Key'],
    ['a--b', 'A--B'],
    ['1-x', '1-X'],
    // Go leaves alone what is no name of a field.
    ['with space', 'with space'],
    ['', ''],
  ])('%s is %s', (name, canonical) => {
    expect(canonicalName(name)).toBe(canonical)
  })

  test('a field may be called like a trap of JavaScript', () => {
    const headers = JSON.parse('{"__proto__":["x"],"constructor":["y"]}') as Record<string, string[]>
    const { Header } = liveRequest(aRequest({ headers }))
    expect(Object.entries(Header)).toEqual([
      ['__proto__', ['x']],
      ['Constructor', ['y']],
    ])
  })
})

describe('what is stored of a request', () => {
  test('is what is listed', () => {
    const { Header } = storedRequest(aRequest(), new Set(['host', 'x-tenant']))
    expect(Header).toEqual({ Host: ['upload.example.com'], 'X-Tenant': ['blue', 'green'] })
  })

  test('is never a secret, listed or not', () => {
    const names = ['authorization', 'Authorization', 'cookie', 'COOKIE', 'Proxy-Authorization', 'set-cookie']
    expect(names.filter(isStorable)).toEqual([])
    const headers = Object.fromEntries(names.map((name) => [name, ['secret']]))
    const request = aRequest({ headers })
    const kept = new Set(names.map((name) => name.toLowerCase()))
    expect(JSON.stringify(storedRequest(request, kept))).not.toContain('secret')
  })
})

describe('the message', () => {
  test("has tusd's two keys and one of ours", () => {
    const message: unknown = JSON.parse(messageOf(aCall('post-finish', { sequence: 7, attempt: 3 })))
    expect(message).toMatchObject({
      Type: 'post-finish',
      Event: { Upload: { ID: aRecord().id }, HTTPRequest: { Method: 'POST' } },
      Carryon: {
        EventID: `${aRecord().id}.post-finish`,
        Sequence: 7,
        Attempt: 3,
        At: '2026-01-01T00:00:00.000Z',
        Owner: null,
        ServerMetadata: {},
        Status: 'receiving',
        CreatedAt: new Date(START_MS).toISOString(),
      },
    })
    expect(Object.keys(message as object)).toEqual(['Type', 'Event', 'Carryon'])
  })

  test('has no sequence where there is none', () => {
    expect(messageOf(aCall('pre-create'))).not.toContain('Sequence')
  })

  test('comes back from its stored form', () => {
    const { event, facts } = aCall('post-finish')
    expect(readStoredMessage(storeMessage({ event, facts }))).toEqual({ event, facts })
  })

  test.each([
    '',
    'null',
    '[]',
    '"x"',
    '{',
    '{}',
    '{"Event":{}}',
    '{"Event":{"Upload":{"ID":"x"}},"Carryon":{}}',
  ])('is not read from %j', (payload) => {
    expect(readStoredMessage(payload)).toBeUndefined()
  })
})
