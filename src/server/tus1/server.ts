import type { Engine } from '../../core/engine.ts'
import { UploadError } from '../../core/errors.ts'
import type { Requester } from '../../core/operations/decide.ts'
import type { TusExtension } from '../../protocol/tus1/headers.ts'
import {
  ANSWER_FIELD,
  FIELD,
  formatExtensions,
  parseTusResumable,
  TUS_VERSION,
} from '../../protocol/tus1/headers.ts'
import { effectiveMethod } from '../../protocol/method-override.ts'
import type { DialectServer } from '../dialect.ts'
import type { Downloads } from '../download.ts'
import type { Exchange, Outcome, Reply } from '../exchange.ts'
import type { Gate } from '../gate.ts'
import type { Addresses } from '../location.ts'
import type { UploadRequest } from '../request.ts'
import { refusal } from './answer.ts'
import { createUpload } from './create.ts'
import { appendUpload, retrieveUpload, terminateUpload } from './upload.ts'

/** What the tus side of the server is made of. */
export interface Tus1Parts {
  readonly engine: Engine
  readonly addresses: Addresses
  readonly basePath: string
  readonly downloads: Downloads | undefined
  readonly termination: boolean
  readonly concatenation: boolean
  readonly methodOverride: boolean
  readonly gate: Gate
  readonly maxMetadataBytes: number
}

/** Speaks tus 1.0.0 with every extension that store, engine and adapter can keep. */
export function tus1Server(parts: Tus1Parts): DialectServer {
  return {
    name: 'tus1',
    claims: ({ exchange }) => exchange.header(FIELD.tusResumable) !== undefined,
    answer: (request) => answer(parts, request),
    refuse: (request, error) => refusal(error, allowedMethods(parts, request)),
    discover: ({ exchange }) => discover(parts, exchange),
  }
}

async function answer(parts: Tus1Parts, request: UploadRequest): Promise<Outcome> {
  const method = methodOf(parts, request.exchange)
  // tus 1.0 §X-HTTP-Method-Override: the method it names counts, whatever it is.
  if (method === 'OPTIONS') return { status: 204, headers: discover(parts, request.exchange) }
  checkVersion(request.exchange, method)
  return route(parts, request, method, await parts.gate(request, method))
}

function methodOf(parts: Tus1Parts, exchange: Exchange): string {
  const override = parts.methodOverride ? exchange.header(FIELD.methodOverride) : undefined
  const method = effectiveMethod(exchange.method, override)
  if (!method.ok) throw new UploadError('ERR_METHOD_NOT_ALLOWED', { reason: method.reason })
  return method.value
}

/** Comes before everything else: a request of another version is not processed (tus 1.0 §Tus-Resumable). */
function checkVersion(exchange: Exchange, method: string): void {
  const version = exchange.header(FIELD.tusResumable)
  if (version === undefined) {
    // Looking without the field harms nobody, and people look with curl and browsers.
    if (method === 'HEAD' || method === 'GET') return
    throw new UploadError('ERR_UNSUPPORTED_VERSION', {
      reason: 'The Tus-Resumable field is missing; send Tus-Resumable: 1.0.0.',
    })
  }
  const parsed = parseTusResumable(version)
  if (!parsed.ok) throw new UploadError('ERR_UNSUPPORTED_VERSION', { reason: parsed.reason })
}

function route(parts: Tus1Parts, request: UploadRequest, method: string, by: Requester): Promise<Reply> {
  const { exchange, target } = request
  switch (target.kind) {
    case 'creation':
      if (method === 'POST') return createUpload(parts, exchange, by)
      break
    case 'upload':
      if (method === 'PATCH') return appendUpload(parts, exchange, target.id, by)
      if (method === 'HEAD') return retrieveUpload(parts, target.id)
      if (method === 'DELETE' && parts.termination) return terminateUpload(parts, target.id, by)
      if (method === 'GET' && parts.downloads !== undefined) return retrieveUpload(parts, target.id, exchange)
      break
    case 'unknown':
      throw new UploadError('ERR_UPLOAD_NOT_FOUND')
    case 'server':
      break
  }
  throw new UploadError('ERR_METHOD_NOT_ALLOWED')
}

function allowedMethods(parts: Tus1Parts, { target }: UploadRequest): string {
  if (target.kind !== 'upload') return 'OPTIONS, POST'
  return [
    'OPTIONS, HEAD, PATCH',
    ...(parts.downloads === undefined ? [] : ['GET']),
    ...(parts.termination ? ['DELETE'] : []),
  ].join(', ')
}

function discover(parts: Tus1Parts, exchange: Exchange): Readonly<Record<string, string>> {
  const { engine } = parts
  const { maxSizeBytes } = engine.limits
  const extensions = formatExtensions(extensionsOf(parts, exchange))
  return {
    [ANSWER_FIELD.tusResumable]: TUS_VERSION,
    [ANSWER_FIELD.tusVersion]: TUS_VERSION,
    ...(extensions === undefined ? {} : { [ANSWER_FIELD.tusExtension]: extensions }),
    ...(maxSizeBytes === undefined ? {} : { [ANSWER_FIELD.tusMaxSize]: String(maxSizeBytes) }),
    ...(engine.checksumAlgorithms.length === 0
      ? {}
      : { [ANSWER_FIELD.tusChecksumAlgorithm]: engine.checksumAlgorithms.join(',') }),
  }
}

/** Computed from what is there, so that no name is announced that does not work (design: invariant 10). */
function extensionsOf(parts: Tus1Parts, exchange: Exchange): readonly TusExtension[] {
  const checksum = parts.engine.checksumAlgorithms.length > 0
  const offered: Readonly<Record<TusExtension, boolean>> = {
    creation: true,
    'creation-with-upload': true,
    'creation-defer-length': true,
    expiration: parts.engine.limits.expireAfterMs !== undefined,
    checksum,
    'checksum-trailer': checksum && exchange.readsTrailers,
    termination: parts.termination,
    concatenation: parts.concatenation,
    'concatenation-unfinished': parts.concatenation,
  }
  return (Object.keys(offered) as TusExtension[]).filter((name) => offered[name])
}
