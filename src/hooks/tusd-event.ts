import type { RequestFacts } from '../core/ports/hooks.ts'
import type { Json, UploadRecord } from '../core/upload.ts'
import type { TusdHttpRequest, TusdUpload } from './ports/transport.ts'

/** Where the content of an upload is, such as `{ Type: 'filestore', Path: '…' }`; `null`: cannot be said. */
export type StorageOf = (record: UploadRecord) => Json

/** An upload in tusd's words. */
export function tusdUpload(record: UploadRecord, storage: Json): TusdUpload {
  const { id, length, offset, metadata, concat } = record
  return {
    ID: id,
    Size: length ?? 0,
    SizeIsDeferred: length === undefined,
    Offset: offset,
    MetaData: metadata,
    IsPartial: concat?.kind === 'partial',
    IsFinal: concat?.kind === 'final',
    PartialUploads: concat?.kind === 'final' ? concat.parts : null,
    Storage: storage,
  }
}

/**
 * A request in tusd's words, for a hook that is asked at once: with all its header fields, `Cookie` and
 * `Authorization` among them, because that is how hooks authenticate. Never store it: see {@link storedRequest}.
 */
export function liveRequest(request: RequestFacts | undefined): TusdHttpRequest {
  return describe(request, () => true)
}

/** A request in tusd's words, reduced to what may be stored. @param kept - Lower-case names of header fields. */
export function storedRequest(request: RequestFacts | undefined, kept: ReadonlySet<string>): TusdHttpRequest {
  return describe(request, (name) => kept.has(name) && isStorable(name))
}

function describe(request: RequestFacts | undefined, takes: (name: string) => boolean): TusdHttpRequest {
  // Without a prototype a field may be called `__proto__`.
  const header: Record<string, readonly string[]> = Object.create(null)
  for (const [name, values] of Object.entries(request?.headers ?? {})) {
    if (takes(name.toLowerCase())) header[canonicalName(name)] = values
  }
  return {
    Method: request?.method ?? '',
    URI: request?.target ?? '',
    RemoteAddr: request?.peerAddress ?? '',
    Header: header,
  }
}

/** What is never written to a queue, whatever a configuration says: it would lie there for as long as the event. */
const SECRET: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'cookie2',
  'proxy-authorization',
  'set-cookie',
])

/** Whether values of a header field may be stored at all. */
export function isStorable(name: string): boolean {
  return !SECRET.has(name.toLowerCase())
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** A field's name as Go's `textproto.CanonicalMIMEHeaderKey` writes it: hook servers look it up by that. */
export function canonicalName(name: string): string {
  if (!TOKEN.test(name)) return name
  return name.toLowerCase().replaceAll(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())
}
