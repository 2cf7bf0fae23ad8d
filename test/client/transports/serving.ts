import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { ServerOptions } from 'node:https'
import { createServer as createRawServer } from 'node:net'
import type { AddressInfo, Server as RawServer, Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Slice } from '../../../src/client/ports/source.ts'
import type { TransportRequest } from '../../../src/client/ports/transport.ts'

export interface Serving<S extends RawServer = Server> {
  readonly server: S
  readonly port: number
  readonly url: string
  /** How many connections were made so far. */
  connections(): number
}

/** An HTTP server for one test. */
export function serve(listener: RequestListener): Promise<Serving> {
  return start(createServer(listener), 'http://127.0.0.1')
}

export function serveSecurely(options: ServerOptions, listener: RequestListener): Promise<Serving> {
  return start(createSecureServer(options, listener), 'https://localhost')
}

/** A server that gets bytes, for answers that no HTTP library would give. */
export function serveRaw(onConnection: (socket: Socket) => void): Promise<Serving<RawServer>> {
  return start(createRawServer(onConnection), 'http://127.0.0.1')
}

async function start<S extends RawServer>(server: S, origin: string): Promise<Serving<S>> {
  const open = new Set<Socket>()
  let connections = 0
  server.on('connection', (socket: Socket) => {
    connections += 1
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => undefined)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    for (const socket of open) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { server, port, url: `${origin}:${port}/`, connections: () => connections }
}

type Asked = Omit<Partial<TransportRequest>, 'headers'> & {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
}

export function asking({ headers = {}, ...rest }: Asked): TransportRequest {
  return {
    method: 'GET',
    signal: new AbortController().signal,
    headers: new Map(Object.entries(headers)),
    ...rest,
  }
}

export function bytesSlice(bytes: Uint8Array): Slice {
  return {
    start: 0,
    sizeBytes: bytes.length,
    isLast: true,
    content: { kind: 'bytes', bytes: new Uint8Array(bytes) },
  }
}

export function blobSlice(blob: Blob): Slice {
  return { start: 0, sizeBytes: blob.size, isLast: true, content: { kind: 'blob', blob } }
}

export function chunksSlice(
  sizeBytes: number,
  chunks: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
): Slice {
  return { start: 0, sizeBytes, isLast: true, content: { kind: 'chunks', chunks } }
}

/** A promise and its ends. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((done) => (resolve = done))
  return { promise, resolve }
}
