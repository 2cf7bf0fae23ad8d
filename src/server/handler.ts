import type { Engine } from '../core/engine.ts'
import { shutdownError, toUploadError, UploadError } from '../core/errors.ts'
import { parseHost } from '../protocol/host.ts'
import { pathOfTarget } from '../protocol/upload-url.ts'
import type { CorsOptions } from './cors.ts'
import { makeCors } from './cors.ts'
import type { DialectServer } from './dialect.ts'
import type { DownloadOptions } from './download.ts'
import { makeDownloads } from './download.ts'
import type { EventStreamOptions } from './event-stream.ts'
import { eventStream } from './event-stream.ts'
import type { Exchange, Outcome, Reply } from './exchange.ts'
import type { OnRequest } from './gate.ts'
import { makeGate } from './gate.ts'
import { mergedFields } from './merged-fields.ts'
import { makeAddresses } from './location.ts'
import type { UploadRequest } from './request.ts'
import { targetOf } from './request.ts'
import { tus1Server } from './tus1/server.ts'

export interface HandlerOptions {
  readonly engine: Engine
  /** Path of the creation URL. Starts and ends with a slash. @default '/files/' */
  readonly path?: string
  /** URL of the creation endpoint as clients see it, behind a proxy. @default From the request's `Host`. */
  readonly publicUrl?: string
  /**
   * Proxies whose `Forwarded` and `X-Forwarded-{For,Proto,Host,Port,Prefix}` are believed: addresses, CIDR ranges, and
   * the words `loopback`, `linklocal`, `uniquelocal` and `unix` (whoever comes by a Unix socket).
   *
   * @default none: such fields are not read
   */
  readonly trustedProxies?: readonly string[] | undefined
  /** Rules for web pages of other origins; `false` switches CORS off. @default any origin, no credentials */
  readonly cors?: CorsOptions | false
  /** Downloads of finished uploads by GET; `false` switches them off. */
  readonly download?: DownloadOptions | false
  /** DELETE. @default true */
  readonly termination?: boolean
  /** Concatenation, where the store can do it. @default true */
  readonly concatenation?: boolean
  /** Obey `X-HTTP-Method-Override`. @default true */
  readonly methodOverride?: boolean
  /** Asked about every request but preflights: authenticate, authorise, say who it is. */
  readonly onRequest?: OnRequest
  /** A stream of what happens, for the application. @default none */
  readonly events?: EventStreamOptions | undefined
  /** Longest `Upload-Metadata` field, in bytes. @default 4096 */
  readonly maxMetadataBytes?: number
  /** Hears of every failure that clients only see as a 5xx. */
  readonly report?: (error: unknown) => void
}

/**
 * Answers an exchange.
 *
 * @returns The answer; `undefined` when the exchange was terminated; `'not-ours'` for a path outside of ours.
 *   Never rejects.
 */
export type Handler = (exchange: Exchange) => Promise<Outcome | 'not-ours'>

/**
 * Makes the HTTP side of an engine, for any runtime that has an adapter.
 *
 * @throws {TypeError} for options that make no sense.
 */
export function createHandler(options: HandlerOptions): Handler {
  const { engine, report = () => undefined } = options
  const basePath = checkedPath(options.path ?? '/files/')
  const cors = makeCors(options.cors ?? {}, report)
  const { publicUrl, trustedProxies } = options
  const addresses = makeAddresses({ basePath, publicUrl, trustedProxies })
  const downloads = options.download === false ? undefined : makeDownloads(engine, options.download ?? {})
  const tus1 = tus1Server({
    engine,
    addresses,
    basePath,
    downloads,
    termination: options.termination ?? true,
    concatenation: (options.concatenation ?? true) && engine.canConcatenate,
    methodOverride: options.methodOverride ?? true,
    gate: makeGate(engine, options.onRequest, addresses),
    maxMetadataBytes: options.maxMetadataBytes ?? 4096,
  })
  // In the order of design decision 1; the last one answers what nobody claims.
  const dialects: readonly DialectServer[] = [tus1]

  const stream = options.events === undefined ? undefined : eventStream(engine, options.events)

  return async (exchange) => {
    if (stream !== undefined && pathOfTarget(exchange.target) === stream.path) {
      return withCors(exchange, await stream.answer(exchange).catch(reported))
    }
    const target = targetOf(exchange.target, basePath)
    if (target === undefined) return 'not-ours'
    const request: UploadRequest = { exchange, target, method: exchange.method }
    const outcome = await answer(request)
    return outcome === undefined ? undefined : withCors(exchange, outcome)
  }

  function reported(error: unknown): Reply {
    report(error)
    return { status: 500, headers: {} }
  }

  function withCors(exchange: Exchange, outcome: Reply): Reply {
    return {
      ...outcome,
      headers: mergedFields(
        { ...outcome.headers, ...lengthOfNothing(outcome, exchange) },
        cors.fields(exchange),
      ),
    }
  }

  async function answer(request: UploadRequest): Promise<Outcome> {
    const dialect = dialects.find((one) => one.claims(request)) ?? tus1
    try {
      if (request.method === 'OPTIONS') return discover(request)
      if (engine.isClosing) throw shutdownError()
      checkHost(request.exchange)
      return await dialect.answer(request)
    } catch (thrown) {
      const error = toUploadError(thrown)
      if (error.status >= 500 && !isExpected(error)) report(thrown)
      if (leavesNobodyToAnswer(error)) {
        request.exchange.terminate()
        return undefined
      }
      return dialect.refuse(request, error)
    }
  }

  function discover(request: UploadRequest): Reply {
    const fields = dialects.map((dialect) => dialect.discover(request))
    return { status: 204, headers: Object.assign({ 'Cache-Control': 'no-store' }, ...fields) }
  }
}

/**
 * Nothing for the log of the operator: a stop, and an upload that is larger than the free space, which anybody can ask for
 * again and again. A disk that really is full has its error as the cause.
 */
function isExpected({ code, cause }: UploadError): boolean {
  return code === 'ERR_SERVER_SHUTDOWN' || (code === 'ERR_STORE_FULL' && cause === undefined)
}

/** RFC 9112 §3.2: a server MUST refuse a request with two Host lines or one that names no host. */
function checkHost(exchange: Exchange): void {
  const host = exchange.header('host')
  if (host === undefined || host === '') return
  const parsed = parseHost(host)
  if (!parsed.ok) throw new UploadError('ERR_INVALID_REQUEST', { reason: parsed.reason })
}

/** A HEAD asked for by method override is answered on another method's terms: without content that must be said. */
function lengthOfNothing(reply: Reply, exchange: Exchange): Readonly<Record<string, string>> {
  const hasLength = 'Content-Length' in reply.headers
  const isClear = hasLength || reply.body !== undefined || reply.status === 204 || reply.status === 304
  return isClear || exchange.method === 'HEAD' ? {} : { 'Content-Length': '0' }
}

/** The client broke off, or its request was pre-empted: its connection is closed rather than answered. */
function leavesNobodyToAnswer(error: UploadError): boolean {
  return error.code === 'ERR_UPLOAD_INTERRUPTED' || error.code === 'ERR_UPLOAD_STOPPED'
}

function checkedPath(path: string): string {
  if (!/^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]+\/)*$/.test(path)) {
    throw new TypeError(`path must start and end with a slash: ${path}`)
  }
  return path
}
