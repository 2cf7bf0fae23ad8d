import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Dialect } from './dialect.ts'
import { create, options } from './creation.ts'
import { append, look, terminate } from './uploads.ts'
import type { ScriptedUpload } from './scripted-upload.ts'

/** A tus server in memory that behaves as its dialect says. */
export interface ScriptedServer {
  /** Where uploads are created. */
  readonly url: string
  /** By path. They stay here when the server itself has forgotten them. */
  readonly uploads: Map<string, ScriptedUpload>
  /** What has arrived, in order. */
  readonly requests: Arrived[]
  close(): Promise<void>
}

export interface Arrived {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Bytes of the body that were read. */
  bodyBytes: number
  /** 0 while, or when, no answer was given. */
  status: number
}

/** One request at a scripted server, on its way to an answer. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly arrived: Arrived
  readonly world: World
  /** Method after an override. */
  readonly method: string
  readonly path: string
  header(name: string): string | undefined
  answer(status: number, headers?: Readonly<Record<string, string | number>>, body?: string): void
}

/** What all requests of a server share. */
interface World {
  readonly dialect: Dialect
  readonly basePath: string
  readonly uploads: Map<string, ScriptedUpload>
  /** The request that is writing to an upload. */
  readonly writers: Map<ScriptedUpload, IncomingMessage>
}

const BASE_PATH = '/files/'

export async function scriptedServer(dialect: Dialect): Promise<ScriptedServer> {
  const world: World = { dialect, basePath: BASE_PATH, uploads: new Map(), writers: new Map() }
  const requests: Arrived[] = []
  const server = createServer((request, response) => {
    const { method = '', url: path = '', headers } = request
    const arrived = { method, path, headers, bodyBytes: 0, status: 0 }
    requests.push(arrived)
    request.on('data', (chunk: Buffer) => (arrived.bodyBytes += chunk.length)).pause()
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    serve(exchangeOf({ request, response, arrived, world })).catch(() => request.socket.destroy())
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}${BASE_PATH}`,
    uploads: world.uploads,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function exchangeOf(parts: Pick<Exchange, 'request' | 'response' | 'arrived' | 'world'>): Exchange {
  const { request, response, arrived, world } = parts
  const header = (name: string): string | undefined => {
    const value = request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
  const override = header('x-http-method-override')
  const isOverridden = override !== undefined && world.dialect.overrides.includes(arrived.method)
  return {
    ...parts,
    method: isOverridden ? override : arrived.method,
    path: arrived.path,
    header,
    answer(status, headers = {}, body = '') {
      arrived.status = status
      const isEmpty = status === 204 || arrived.method === 'HEAD'
      const length = isEmpty ? {} : { 'Content-Length': Buffer.byteLength(body) }
      response.writeHead(status, { 'Tus-Resumable': '1.0.0', ...length, ...headers })
      response.end(isEmpty ? '' : body)
    },
  }
}

async function serve(exchange: Exchange): Promise<void> {
  const { world, method, path, request } = exchange
  const { dialect } = world
  if (dialect.intercept !== undefined && (await dialect.intercept(exchange)) === 'done') return
  if (method === 'OPTIONS') return options(exchange)
  if (dialect.needsVersion && exchange.header('tus-resumable') !== '1.0.0') {
    return exchange.answer(412, { 'Tus-Version': '1.0.0', Connection: 'close' })
  }
  if (method === 'POST' && `${path}/`.startsWith(world.basePath)) return create(exchange)
  const upload = world.uploads.get(path)
  if (upload === undefined || upload.isGone) {
    request.resume()
    return exchange.answer(404, {}, 'ERR_UPLOAD_NOT_FOUND: upload not found\n')
  }
  if (method === 'HEAD') return look(exchange, upload)
  if (method === 'PATCH') return append(exchange, upload)
  if (method === 'DELETE' && dialect.extensions.includes('termination')) return terminate(exchange, upload)
  request.resume()
  return exchange.answer(405)
}
