import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as grpc from '@grpc/grpc-js'
import { load } from '@grpc/proto-loader'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { grpcTransport } from '../../src/hooks/grpc/grpc-transport.ts'
import type { GrpcTransportOptions } from '../../src/hooks/grpc/grpc-transport.ts'
import type { HookError } from '../../src/hooks/ports/hook-error.ts'
import { isHookError } from '../../src/hooks/ports/hook-error.ts'
import type { HookTransport } from '../../src/hooks/ports/transport.ts'
import { CA, CLIENT_CERT, CLIENT_KEY, SERVER_CERT, SERVER_KEY } from './certificates.ts'
import { aCall, never } from './samples.ts'
import { GrpcHookServer, grpcFaults, PROTO_FILE } from './tusd-hook-server.ts'

interface Pair {
  readonly server: GrpcHookServer
  readonly transport: HookTransport
}

async function pair(
  options: Partial<GrpcTransportOptions> = {},
  credentials?: grpc.ServerCredentials,
): Promise<Pair> {
  const server = await GrpcHookServer.start(() => ({}), credentials)
  onTestFinished(() => server.stop())
  return { server, transport: await client({ address: server.address, backoffMs: 5, ...options }) }
}

async function client(options: GrpcTransportOptions): Promise<HookTransport> {
  const transport = await grpcTransport(options)
  onTestFinished(() => transport.close?.())
  return transport
}

async function failure(promise: Promise<unknown>): Promise<HookError> {
  const error: unknown = await promise.then(
    () => 'resolved',
    (reason: unknown) => reason,
  )
  if (!isHookError(error)) throw new Error('not a HookError', { cause: error })
  return error
}

describe('a call', () => {
  test('has the listed fields of the client as metadata, with all values, and no others', async () => {
    const { server, transport } = await pair({ forwardHeaders: ['Authorization', 'x-tenant', 'x-missing'] })
    await transport.invoke(aCall('pre-create'), never())
    const { headers } = server.received[0] ?? { headers: {} }
    expect(headers).toMatchObject({
      authorization: 'Bearer open-sesame',
      'x-tenant': 'blue, green',
      'hook-name': 'pre-create',
      'idempotency-key': aCall('pre-create').id,
    })
    expect(headers).not.toHaveProperty('cookie')
  })

  test('leaves out what gRPC cannot carry', async () => {
    const { server, transport } = await pair({ forwardHeaders: ['x-a', 'x-b-bin', 'grpc-timeout'] })
    const { event } = aCall('pre-create')
    const Header = { 'X-A': ['one', 'Ærø'], 'X-B-Bin': ['AAAA'], 'Grpc-Timeout': ['1n'] }
    const HTTPRequest = { ...event.HTTPRequest, Header }
    await transport.invoke(aCall('pre-create', { event: { ...event, HTTPRequest } }), never())
    const { headers } = server.received[0] ?? { headers: {} }
    expect(headers).toMatchObject({ 'x-a': 'one' })
    expect(headers).not.toHaveProperty('x-b-bin')
  })

  test('has the first value of each field of the request, and texts of the storage', async () => {
    const { server, transport } = await pair()
    const { event } = aCall('post-finish')
    const Storage = { Type: 's3store', Key: 'a/b', Parts: [1, 2], Size: 5 }
    const Upload = { ...event.Upload, Storage }
    await transport.invoke(aCall('post-finish', { event: { ...event, Upload } }), never())
    const told = server.received[0]?.Event
    expect(told?.HTTPRequest.Header['X-Tenant']).toEqual(['blue'])
    expect(told?.Upload.Storage).toEqual({ Type: 's3store', Key: 'a/b', Parts: '[1,2]', Size: '5' })
  })

  test('is understood by a server that knows nothing but tusd’s own proto', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'carryon-hooks-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const text = await readFile(PROTO_FILE, 'utf8')
    const pure = text.replaceAll(/^.* = 1000;\n/gm, '')
    expect(pure).not.toBe(text)
    await writeFile(join(directory, 'hook.proto'), pure)
    const definitions = await load(join(directory, 'hook.proto'), { defaults: true, longs: Number })
    const heard: unknown[] = []
    const server = new grpc.Server()
    server.addService(definitions['proto.HookHandler'] as grpc.ServiceDefinition, {
      InvokeHook(call: grpc.ServerUnaryCall<object, object>, answer: grpc.sendUnaryData<object>) {
        heard.push(call.request)
        answer(null, { rejectUpload: true, httpResponse: { statusCode: 403, body: 'no' } })
      },
    })
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound)
        else reject(error)
      })
    })
    onTestFinished(() => server.forceShutdown())
    const transport = await client({ address: `127.0.0.1:${port}` })
    expect(await transport.invoke(aCall('pre-create'), never())).toEqual({
      RejectUpload: true,
      HTTPResponse: { StatusCode: 403, Body: 'no' },
    })
    expect(heard).toMatchObject([{ type: 'pre-create', event: { upload: { size: 1000 } } }])
  })
})

describe('failures', () => {
  const { status } = grpc

  test.each([status.UNAVAILABLE, status.UNKNOWN, status.INTERNAL, status.ABORTED, status.RESOURCE_EXHAUSTED])(
    'status %i passes: it is repeated',
    async (code) => {
      const { server, transport } = await pair()
      server.faults.push(grpcFaults.status(code), grpcFaults.status(code))
      await transport.invoke(aCall('pre-create'), never())
      expect(server.received).toHaveLength(3)
    },
  )

  test.each([
    status.INVALID_ARGUMENT,
    status.PERMISSION_DENIED,
    status.UNIMPLEMENTED,
    status.UNAUTHENTICATED,
  ])('status %i does not pass by itself', async (code) => {
    const { server, transport } = await pair()
    server.faults.push(grpcFaults.status(code, 'no\nsuch hook'))
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error).toMatchObject({ code: 'refused', retry: 'later' })
    const message = `The hook pre-create at ${server.address} failed with ${status[code]}: no such hook`
    expect(error.message).toBe(message)
    expect(server.received).toHaveLength(1)
  })

  test('gives up after its repetitions', async () => {
    const { server, transport } = await pair({ retries: 2 })
    server.fault = grpcFaults.status(status.UNAVAILABLE)
    expect(await failure(transport.invoke(aCall('pre-create'), never()))).toMatchObject({ retry: 'soon' })
    expect(server.received).toHaveLength(3)
  })

  test('more than 64 KiB are not even taken apart', async () => {
    const { server, transport } = await pair()
    const header = Object.fromEntries(
      Array.from({ length: 5000 }, (_, index) => [`x-${index}`, 'a long value']),
    )
    server.faults.push((_, answer) => answer(null, { httpResponse: { header } }))
    expect(await failure(transport.invoke(aCall('pre-create'), never()))).toMatchObject({
      code: 'bad-answer',
    })
    expect(server.received).toHaveLength(1)
  })

  test('a call has a deadline, which the server hears of', async () => {
    const { server, transport } = await pair({ timeoutMs: 3000 })
    let deadlineMs = Infinity
    server.faults.push((call, answer) => {
      deadlineMs = Number(call.getDeadline())
      answer(null, {})
    })
    await transport.invoke(aCall('pre-create'), never())
    const leftMs = deadlineMs - Date.now()
    expect(leftMs).toBeGreaterThan(0)
    expect(leftMs).toBeLessThanOrEqual(3000)
  })

  test('a connection whose other end is silently gone does not hold up the next call', async () => {
    const { server } = await pair()
    // Between both: passes everything on until it is told to swallow it.
    let isGone = false
    const sockets: Socket[] = []
    const between = createServer((near) => {
      if (isGone) isGone = false
      const far = connect(server.port, '127.0.0.1')
      sockets.push(near, far)
      let passes = true
      near.on('data', (chunk: Buffer) => {
        passes &&= !isGone
        if (passes) far.write(chunk)
      })
      far.on('data', (chunk: Buffer) => void (passes && near.write(chunk)))
      for (const socket of [near, far]) socket.on('error', () => undefined)
    })
    await new Promise<void>((resolve) => void between.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
      between.close()
    })
    const { port } = between.address() as AddressInfo
    const transport = await client({ address: `127.0.0.1:${port}`, timeoutMs: 500 })
    await transport.invoke(aCall('pre-create'), never())
    isGone = true
    expect(await failure(transport.invoke(aCall('pre-create'), never()))).toMatchObject({ code: 'timeout' })
    expect(await transport.invoke(aCall('pre-create'), never())).toEqual({})
  })
})

describe('TLS', () => {
  const ca = Buffer.from(CA)
  const keys = [{ private_key: Buffer.from(SERVER_KEY), cert_chain: Buffer.from(SERVER_CERT) }]

  test('with an authority of one’s own', async () => {
    const { transport } = await pair({ tls: { ca: CA } }, grpc.ServerCredentials.createSsl(null, keys))
    expect(await transport.invoke(aCall('pre-create'), never())).toEqual({})
  })

  test('with certificates on both sides', async () => {
    const tls = { ca: CA, cert: CLIENT_CERT, key: CLIENT_KEY }
    const { server, transport } = await pair({ tls }, grpc.ServerCredentials.createSsl(ca, keys, true))
    expect(await transport.invoke(aCall('pre-create'), never())).toEqual({})
    const without = await client({ address: server.address, tls: { ca: CA }, retries: 0 })
    expect(await failure(without.invoke(aCall('pre-create'), never()))).toMatchObject({ code: 'unreachable' })
  })

  test('refuses a server whose certificate nobody vouches for', async () => {
    const credentials = grpc.ServerCredentials.createSsl(null, keys)
    const { server, transport } = await pair({ tls: true, retries: 0 }, credentials)
    expect(await failure(transport.invoke(aCall('pre-create'), never()))).toMatchObject({
      code: 'unreachable',
    })
    expect(server.received).toEqual([])
  })
})

describe('options', () => {
  test.each([
    { address: '' },
    { address: 'x:1', timeoutMs: 0 },
    { address: 'x:1', retries: -1 },
    { address: 'x:1', forwardHeaders: ['content-type'] },
    { address: 'x:1', tls: { cert: CLIENT_CERT } },
    { address: 'x:1', tls: { key: CLIENT_KEY } },
  ])('%j is refused at once', async (options) => {
    await expect(grpcTransport(options)).rejects.toThrow(/./)
  })
})

describe('without the packages', () => {
  afterEach(() => {
    vi.doUnmock('@grpc/grpc-js')
    vi.resetModules()
  })

  test('it says which', async () => {
    vi.resetModules()
    vi.doMock('@grpc/grpc-js', () => {
      throw new Error("Cannot find package '@grpc/grpc-js'")
    })
    const fresh = await import('../../src/hooks/grpc/grpc-transport.ts')
    await expect(fresh.grpcTransport({ address: '127.0.0.1:1' })).rejects.toThrow(
      /npm install @grpc\/grpc-js @grpc\/proto-loader/,
    )
  })
})
