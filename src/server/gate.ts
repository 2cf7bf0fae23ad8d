import type { Engine } from '../core/engine.ts'
import { isUploadError, UploadError } from '../core/errors.ts'
import type { Requester } from '../core/operations/decide.ts'
import { rejection } from '../core/operations/decide.ts'
import type { Rejection, RequestFacts } from '../core/ports/hooks.ts'
import type { UploadRecord } from '../core/upload.ts'
import type { Exchange } from './exchange.ts'
import type { Addresses } from './location.ts'
import type { RequestView } from './proxies.ts'
import type { UploadRequest } from './request.ts'

/** A request before anything is done for it. */
export interface RequestContext {
  /** The method that counts, after a method override. */
  readonly method: string
  /** The upload it is about; `undefined` for a creation, and for an upload that is not there. */
  readonly upload: UploadRecord | undefined
  /** Its `peerAddress` is the client's address, as trusted proxies tell it. */
  readonly request: RequestFacts
  /** Address of the connection itself, be it a proxy's; `undefined` for a Unix socket. */
  readonly connectionAddress: string | undefined
  /** What the client came by, as `publicUrl`, trusted proxies or else the connection tell it. */
  readonly scheme: RequestView['scheme']
  /** What the client calls this server, with a port where it has one; `undefined`: not known. */
  readonly host: string | undefined
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal
  /** Value of a field by lower-case name; several lines are joined with `, `. */
  header(name: string): string | undefined
  /**
   * Set it to whoever makes the request. A creation then belongs to that owner, and an upload of another owner is
   * answered like one that is not there.
   */
  owner: string | undefined
}

/**
 * Asked about every request but preflights, whatever its method: authenticate, authorise. `undefined` lets it pass.
 * Whatever is thrown is a 500 whose cause is reported and never sent.
 */
export type OnRequest = (context: RequestContext) => Rejection | void | Promise<Rejection | void>

/** Lets requests in. */
export type Gate = (request: UploadRequest, method: string) => Promise<Requester>

/** @param onRequest - Absent: everybody may do everything. */
export function makeGate(
  engine: Engine,
  onRequest: OnRequest | undefined,
  addresses: Pick<Addresses, 'view'>,
): Gate {
  return async ({ exchange, target }, method) => {
    const { clientAddress, scheme, host } = addresses.view(exchange)
    const request = lazyFacts(exchange, clientAddress)
    if (onRequest === undefined) return { request }
    const upload = target.kind === 'upload' ? await lookOrNothing(engine, target.id) : undefined
    const context: RequestContext = {
      method,
      upload,
      request,
      connectionAddress: exchange.peerAddress,
      scheme,
      host,
      signal: exchange.signal,
      header: (name) => exchange.header(name),
      owner: undefined,
    }
    await decide(onRequest, context)
    const { owner } = context
    if (upload?.owner !== undefined && upload.owner !== owner) throw new UploadError('ERR_UPLOAD_NOT_FOUND')
    return { owner, request }
  }
}

async function decide(onRequest: OnRequest, context: RequestContext): Promise<void> {
  try {
    const decision = await onRequest(context)
    if (decision !== undefined) throw rejection('ERR_UPLOAD_REJECTED', decision)
  } catch (error) {
    throw isUploadError(error) ? error : new UploadError('ERR_HOOK_FAILED', {}, { cause: error })
  }
}

async function lookOrNothing(engine: Engine, id: UploadRecord['id']): Promise<UploadRecord | undefined> {
  return engine.look(id).catch((error: unknown) => {
    if (isUploadError(error) && error.status < 500) return undefined
    throw error
  })
}

/** The fields are read only if somebody looks: most requests meet no hook. */
function lazyFacts(exchange: Exchange, clientAddress: string | undefined): RequestFacts {
  let headers: RequestFacts['headers'] | undefined
  return {
    method: exchange.method,
    target: exchange.target,
    peerAddress: clientAddress,
    get headers() {
      headers ??= exchange.headers()
      return headers
    },
  }
}
