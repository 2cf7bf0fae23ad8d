import type { FinishContext } from '../../core/ports/hooks.ts'
import type { Json } from '../../core/upload.ts'
import { Content } from './content.ts'
import type { CheckedOptions } from './options.ts'
import type { ResumedUpload } from './resumed-upload.ts'

/** What of a creating request is not in its fields, as a handler may want to see it. */
export interface Circumstances {
  readonly host: string | undefined
  readonly isSecure: boolean
  readonly peerAddress: string | undefined
  /** What a framework had made of the URL where the handler is mounted. */
  readonly mount: { readonly url: string; readonly baseUrl: string } | undefined
}

/** A request as it would be had it come in one piece. */
export interface OrdinaryRequest extends Circumstances {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** Names in lower case, `content-type` and `content-length` among them. */
  readonly headers: Readonly<Record<string, string>>
  readonly content: Content
  readonly upload: ResumedUpload
  /** Aborted when the server closes: nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** Where the circumstances of a creation lie in its record. */
const KEY = 'carryon.request'
const OFFSET_OCTET_STREAM = 'application/offset+octet-stream'
const MEDIA_TYPE = /^[a-z0-9!#$&^_.+-]{1,127}\/[a-z0-9!#$&^_.+-]{1,127}(?:[ \t]*;[\t -~]*)?$/i

/** Puts circumstances into what is recorded with a new upload. */
export function withCircumstances(
  serverMetadata: Readonly<Record<string, Json>>,
  circumstances: Circumstances | undefined,
): Readonly<Record<string, Json>> {
  if (circumstances === undefined) return serverMetadata
  const { host, isSecure, peerAddress, mount } = circumstances
  const kept = { host, isSecure, peerAddress, mount: mount === undefined ? undefined : { ...mount } }
  return { ...serverMetadata, [KEY]: kept }
}

/** Makes the request that the handler is called with. */
export function ordinaryRequest(
  context: FinishContext,
  options: Pick<CheckedOptions, 'basePath' | 'method'>,
  path: string | undefined,
  signal: AbortSignal,
): OrdinaryRequest {
  const { upload, creation } = context
  const { [KEY]: kept, ...serverMetadata } = upload.serverMetadata
  return {
    ...circumstancesOf(kept),
    method: options.method,
    target: originForm(creation?.target ?? options.basePath),
    headers: {
      ...creation?.headers,
      'content-type': contentTypeOf(upload.metadata, creation?.headers['content-type']),
      'content-length': String(upload.offset),
    },
    content: new Content(context.read),
    upload: {
      uploadId: upload.id,
      idempotencyKey: context.idempotencyKey,
      attempt: context.attempt,
      metadata: upload.metadata,
      serverMetadata,
      owner: upload.owner,
      sizeBytes: upload.offset,
      path,
    },
    signal,
  }
}

/** The names that tus clients use: tus-js-client and Uppy `filetype` and `type`, others `contentType`. */
function contentTypeOf(metadata: Readonly<Record<string, string>>, sent: string | undefined): string {
  const claimed = metadata['filetype'] ?? metadata['type'] ?? metadata['contentType']
  if (claimed !== undefined && MEDIA_TYPE.test(claimed)) return claimed
  // What tus itself puts there says nothing about the content.
  const isMeant = sent !== undefined && !sent.toLowerCase().startsWith(OFFSET_OCTET_STREAM)
  return isMeant ? sent : 'application/octet-stream'
}

/** Some clients and proxies put the whole URL into the request line. */
function originForm(target: string): string {
  const text = target.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/, '')
  return text.startsWith('/') ? text : `/${text}`
}

function circumstancesOf(kept: Json | undefined): Circumstances {
  const { host, isSecure, peerAddress, mount } = objectOf(kept)
  const { url, baseUrl } = objectOf(mount)
  return {
    host: textOf(host),
    isSecure: isSecure === true,
    peerAddress: textOf(peerAddress),
    mount: typeof url === 'string' && typeof baseUrl === 'string' ? { url, baseUrl } : undefined,
  }
}

function objectOf(value: Json | undefined): { readonly [key: string]: Json | undefined } {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as { readonly [key: string]: Json | undefined }) : {}
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
