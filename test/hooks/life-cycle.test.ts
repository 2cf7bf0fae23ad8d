import { describe, expect, onTestFinished, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import type { Catalog, RecordChange } from '../../src/core/ports/catalog.ts'
import type { EventSink, Hooks, UploadEventType } from '../../src/core/ports/hooks.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { startDelivery } from '../../src/hooks/deliverer.ts'
import type { Deliverer } from '../../src/hooks/deliverer.ts'
import { eventSinkOf } from '../../src/hooks/event-sink.ts'
import { grpcTransport } from '../../src/hooks/grpc/grpc-transport.ts'
import { HOOK_TYPES } from '../../src/hooks/hook-types.ts'
import { httpTransport } from '../../src/hooks/http/http-transport.ts'
import { remoteHooks } from '../../src/hooks/remote-hooks.ts'
import type { HookTransport } from '../../src/hooks/ports/transport.ts'
import { aContext, aRecord, aRequest, finishContext, idOf, progressContext } from './samples.ts'
import type { Application, HookRequest } from './tusd-hook-server.ts'
import { faults, GrpcHookServer, HttpHookServer } from './tusd-hook-server.ts'

/** An application for tusd: wants a name for each upload, tells where the file is, protects some uploads. */
const application: Application = ({ Type, Event }: HookRequest) => {
  const { MetaData, Offset, ID } = Event.Upload
  switch (Type) {
    case 'pre-create': {
      if (Event.HTTPRequest.Header['Authorization']?.[0] !== 'Bearer open-sesame') {
        return { RejectUpload: true, HTTPResponse: { StatusCode: 403, Body: 'authentication failed' } }
      }
      if (MetaData['filename'] === undefined) {
        const Body = JSON.stringify({ message: 'no filename' })
        const Header = { 'Content-Type': 'application/json' }
        return { RejectUpload: true, HTTPResponse: { StatusCode: 400, Body, Header } }
      }
      const ChangeFileInfo = { ID: idOf('chosen-by-the-hook'), MetaData: { ...MetaData, checked: 'yes' } }
      return { ChangeFileInfo, HTTPResponse: { Header: { 'X-Plan': 'gold' } } }
    }
    case 'post-receive':
      return Offset > 500
        ? { StopUpload: true, HTTPResponse: { StatusCode: 410, Body: 'the project is gone' } }
        : {}
    case 'pre-finish':
      return { HTTPResponse: { Header: { Link: `<https://example.com/${ID}>` } } }
    case 'pre-terminate':
      return { RejectTermination: MetaData['protected'] === 'yes', HTTPResponse: { StatusCode: 409 } }
    default:
      return {}
  }
}

interface Server {
  readonly types: string[]
  readonly events: string[]
  start(): Promise<void>
  stop(): Promise<void>
}

async function http(): Promise<{ server: HttpHookServer; transport: HookTransport }> {
  const server = await HttpHookServer.start(application)
  return { server, transport: httpTransport({ url: server.url, backoffMs: 5, retries: 1 }) }
}

async function grpc(): Promise<{ server: GrpcHookServer; transport: HookTransport }> {
  const server = await GrpcHookServer.start(application)
  return { server, transport: await grpcTransport({ address: server.address, backoffMs: 5, retries: 1 }) }
}

interface House {
  readonly hooks: Hooks
  readonly catalog: Catalog
  /** Changes a record as the engine does, its events in the same transaction. */
  readonly change: (
    record: UploadRecord,
    change: RecordChange,
    type: UploadEventType,
  ) => Promise<UploadRecord>
  readonly insert: (record: UploadRecord) => Promise<void>
  readonly deliver: () => Deliverer
  /** Waits until nothing is left to tell. */
  readonly settled: () => Promise<void>
}

function house(transport: HookTransport): House {
  const catalog = memoryCatalog()
  const sink = eventSinkOf(transport, { types: HOOK_TYPES })
  const queued = (type: UploadEventType, record: UploadRecord) => [eventOf(sink, type, record)]
  return {
    hooks: remoteHooks({ transports: [transport], types: HOOK_TYPES }),
    catalog,
    async change(record, change, type) {
      const { id, epoch, offset, status } = record
      const next = { ...record, ...change }
      expect(await catalog.update(id, { epoch, offset, status }, change, queued(type, next))).toBe(true)
      return next
    },
    insert: (record) => catalog.insert(record, queued('post-create', record)),
    deliver() {
      const { queues } = catalog
      const deliverer = startDelivery({ queues, transport, backoffMs: 10, maxBackoffMs: 50, idleMs: 10 })
      onTestFinished(() => deliverer.close())
      return deliverer
    },
    async settled() {
      const giveUpAt = Date.now() + 10_000
      while ((await catalog.queues.list({ limit: 1, isDead: false })).length > 0) {
        if (Date.now() > giveUpAt) throw new Error('events are left')
        await new Promise((resolve) => void setTimeout(resolve, 5))
      }
    },
  }
}

function eventOf(sink: EventSink, type: UploadEventType, record: UploadRecord) {
  const payload = sink.describe(type, record, aRequest())
  return { queue: sink.queue, uploadId: record.id, type, atMs: Date.now(), payload }
}

describe.each([
  ['HTTP', http],
  ['gRPC', grpc],
] as const)('an application for tusd, by %s', (_, make) => {
  async function scene(): Promise<House & { server: Server }> {
    const { server, transport } = await make()
    onTestFinished(async () => {
      await transport.close?.()
      await server.stop()
    })
    return { ...house(transport), server }
  }

  test('goes along with an upload from the first request to the last', async () => {
    const { server, hooks, insert, change, deliver, settled } = await scene()
    deliver()
    const draft = aRecord()
    const decision = await hooks.onCreate?.(aContext({ upload: draft }))
    expect(decision).toEqual({
      kind: 'change',
      id: idOf('chosen-by-the-hook'),
      metadata: { filename: 'a.png', checked: 'yes' },
      answer: { headers: { 'X-Plan': 'gold' } },
    })
    const record = aRecord({
      id: idOf('chosen-by-the-hook'),
      metadata: { filename: 'a.png', checked: 'yes' },
    })
    await insert(record)
    expect(await hooks.onProgress?.(progressContext(400, { upload: record }))).toBeUndefined()
    const full = { ...record, offset: 1000, status: 'finishing' } as const
    expect(await hooks.onFinish?.(finishContext({ upload: full }))).toEqual({
      headers: { Link: `<https://example.com/${record.id}>` },
    })
    const complete = await change(record, { offset: 1000, status: 'complete' }, 'post-finish')
    expect(await hooks.onTerminate?.(aContext({ upload: complete }))).toBeUndefined()
    await change(complete, { status: 'cancelled' }, 'post-terminate')
    await settled()
    const live = ['pre-create', 'post-receive', 'pre-finish', 'pre-terminate', 'post-progress']
    const told = server.events.filter((event) => !live.includes(event.split(' ')[0] ?? ''))
    const { id } = record
    expect(told).toEqual([`post-create ${id}`, `post-finish ${id}`, `post-terminate ${id}`])
    expect(server.events[0]).toBe('pre-create ')
  })

  test('says no, in its own words', async () => {
    const { hooks } = await scene()
    const { headers } = aRequest()
    const stranger = aRequest({ headers: { host: headers['host'] ?? [] } })
    expect(await hooks.onCreate?.(aContext({ request: stranger }))).toEqual({
      kind: 'reject',
      status: 403,
      body: 'authentication failed',
    })
    expect(await hooks.onCreate?.(aContext({ upload: aRecord({ metadata: {} }) }))).toEqual({
      kind: 'reject',
      status: 400,
      body: '{"message":"no filename"}',
      headers: { 'Content-Type': 'application/json' },
    })
    expect(await hooks.onProgress?.(progressContext(501))).toEqual({
      kind: 'stop',
      status: 410,
      body: 'the project is gone',
    })
    const upload = aRecord({ metadata: { protected: 'yes' } })
    expect(await hooks.onTerminate?.(aContext({ upload }))).toEqual({ kind: 'reject', status: 409 })
  })

  test('misses nothing that happens while it is away, and hears it in order', async () => {
    const { server, hooks, insert, change, deliver, settled } = await scene()
    await server.stop()
    deliver()
    await expect(Promise.resolve(hooks.onCreate?.(aContext()))).rejects.toMatchObject({
      code: 'ERR_HOOK_FAILED',
    })
    const uploads = ['a', 'b', 'c', 'd'].map((name) => aRecord({ id: idOf(name) }))
    for (const record of uploads) {
      await insert(record)
      const complete = await change(record, { offset: 1000, status: 'complete' }, 'post-finish')
      await change(complete, { status: 'cancelled' }, 'post-terminate')
    }
    await server.start()
    await settled()
    for (const { id } of uploads) {
      expect(server.events.filter((event) => event.endsWith(` ${id}`))).toEqual([
        `post-create ${id}`,
        `post-finish ${id}`,
        `post-terminate ${id}`,
      ])
    }
  })

  test('hears what another process had begun to tell', async () => {
    const { server, insert, catalog, deliver, settled } = await scene()
    const record = aRecord()
    await insert(record)
    const [{ queue } = { queue: '' }] = await catalog.queues.list({ limit: 1 })
    // That process was killed between taking the event and marking it as done.
    await catalog.queues.take(queue, { limit: 1, nowMs: Date.now(), leaseMs: 200 })
    deliver()
    await settled()
    expect(server.events).toEqual([`post-create ${record.id}`])
  })
})

describe('an HTTP hook server that', () => {
  test.each([
    ['answers 500', [faults.status(500), faults.status(500), faults.status(500)]],
    ['answers 404', [faults.status(404), faults.status(404)]],
    ['answers 429', [faults.status(429, { 'retry-after': '0' })]],
    ['resets connections', [faults.reset, faults.resetInTheMiddle, faults.endInTheMiddle]],
    ['redirects', [faults.status(302, { location: 'http://127.0.0.1:1/' })]],
    [
      'does all of it',
      [faults.status(503), faults.reset, faults.status(301), faults.status(400), faults.endInTheMiddle],
    ],
  ] as const)('%s for a while gets every event, in order', async (_, wrong) => {
    const { server, transport } = await http()
    onTestFinished(async () => {
      await transport.close?.()
      await server.stop()
    })
    const { insert, change, deliver, settled, catalog } = house(transport)
    server.faults.push(...wrong)
    deliver()
    const record = aRecord()
    await insert(record)
    await change(record, { offset: 1000, status: 'complete' }, 'post-finish')
    await settled()
    expect(await catalog.queues.list({ limit: 10 })).toEqual([])
    const { types, received } = server
    expect([...new Set(types)]).toEqual(['post-create', 'post-finish'])
    expect(types.lastIndexOf('post-create')).toBeLessThan(types.indexOf('post-finish'))
    expect(types.length).toBeGreaterThan(wrong.length)
    expect(new Set(received.map(({ Carryon }) => Carryon?.['EventID'])).size).toBe(2)
    const creations = received.filter(({ Type }) => Type === 'post-create')
    expect(new Set(creations.map(({ Carryon }) => Carryon?.['Sequence'])).size).toBe(1)
  })

  test('says 410 is left alone', async () => {
    const { server, transport } = await http()
    onTestFinished(async () => {
      await transport.close?.()
      await server.stop()
    })
    const { insert, deliver, settled, catalog } = house(transport)
    server.faults.push(faults.status(410, {}, 'never again'))
    deliver()
    await insert(aRecord())
    await settled()
    const [dead] = await catalog.queues.list({ limit: 10, isDead: true })
    expect(dead).toMatchObject({ attempts: 1, type: 'post-create' })
    expect(dead?.lastError).toMatch(/answered 410: never again$/)
  })
})
