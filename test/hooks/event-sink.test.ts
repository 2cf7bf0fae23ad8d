import { describe, expect, test } from 'vitest'
import { eventSinkOf, KEPT_HEADERS, queueOf } from '../../src/hooks/event-sink.ts'
import { HOOK_TYPES } from '../../src/hooks/hook-types.ts'
import { readStoredMessage } from '../../src/hooks/message.ts'
import { aRecord, aRequest, bareTransport } from './samples.ts'

const transport = bareTransport(async () => ({}), 'http')

describe('an event sink', () => {
  test('has a queue that is named after the transport', () => {
    expect(eventSinkOf(transport).queue).toBe('hooks:http')
    expect(queueOf(transport)).toBe('hooks:http')
    expect(eventSinkOf(transport, { queue: 'mine' }).queue).toBe('mine')
  })

  test('takes of the enabled types those that are queued', () => {
    expect([...eventSinkOf(transport).types].sort()).toEqual(['post-create', 'post-finish', 'post-terminate'])
    expect([...eventSinkOf(transport, { types: HOOK_TYPES }).types].sort()).toEqual([
      'post-create',
      'post-finish',
      'post-terminate',
      'upload-expired',
      'upload-failed',
    ])
    expect([...eventSinkOf(transport, { types: ['pre-create'] }).types]).toEqual([])
  })

  test('stores the event in the words of tusd', () => {
    const storageOf = ({ id }: { id: string }) => ({ Type: 'filestore', Path: `/data/${id}` })
    const record = aRecord({
      owner: 'ann',
      serverMetadata: { plan: 'gold' },
      status: 'complete',
      offset: 1000,
    })
    const payload = eventSinkOf(transport, { storageOf }).describe('post-finish', record, aRequest())
    expect(readStoredMessage(payload)).toEqual({
      event: {
        Upload: {
          ID: record.id,
          Size: 1000,
          SizeIsDeferred: false,
          Offset: 1000,
          MetaData: { filename: 'a.png' },
          IsPartial: false,
          IsFinal: false,
          PartialUploads: null,
          Storage: { Type: 'filestore', Path: `/data/${record.id}` },
        },
        HTTPRequest: {
          Method: 'POST',
          URI: '/files/?project=7',
          RemoteAddr: '192.0.2.1',
          Header: {
            Host: ['upload.example.com'],
            'User-Agent': ['tus-js-client/4'],
            'Upload-Length': ['1000'],
          },
        },
      },
      facts: {
        Owner: 'ann',
        ServerMetadata: { plan: 'gold' },
        Status: 'complete',
        CreatedAt: '2026-01-01T00:00:00.000Z',
      },
    })
  })

  test('stores no cookie, no authorization, and nothing that is not listed', () => {
    const payload = eventSinkOf(transport).describe('post-finish', aRecord(), aRequest())
    expect(payload).not.toMatch(/open-sesame|secret-cake|blue/)
    const more = eventSinkOf(transport, { keptHeaders: ['X-Tenant'] })
    expect(more.describe('post-finish', aRecord(), aRequest())).toContain('"X-Tenant":["blue","green"]')
    expect(KEPT_HEADERS.filter((name) => /cookie|auth|token|key|referer/.test(name))).toEqual([])
  })

  test.each(['Cookie', 'authorization', 'Proxy-Authorization', 'set-cookie'])(
    'refuses to store %s',
    (name) => {
      expect(() => eventSinkOf(transport, { keptHeaders: [name] })).toThrow(TypeError)
    },
  )

  test('has an event where there is no request', () => {
    const payload = eventSinkOf(transport).describe('upload-expired', aRecord(), undefined)
    expect(readStoredMessage(payload)?.event.HTTPRequest).toEqual({
      Method: '',
      URI: '',
      RemoteAddr: '',
      Header: {},
    })
  })

  test('has an event also when nobody can say where the content is', () => {
    const reports: unknown[] = []
    const storageOf = (): never => {
      throw new Error('no idea')
    }
    const sink = eventSinkOf(transport, { storageOf, report: (...report) => void reports.push(report) })
    const payload = sink.describe('post-finish', aRecord(), undefined)
    expect(readStoredMessage(payload)?.event.Upload.Storage).toBeNull()
    expect(reports).toEqual([[new Error('no idea'), aRecord().id]])
  })
})
