import { createHash, randomBytes } from 'node:crypto'

/** Ways in which the mini server can be wrong, one at a time. */
export type Defect =
  | 'offset-off-by-one'
  | 'patch-says-200'
  | 'bare-errors'
  | 'loses-cut-bytes'
  | 'accepts-any-offset'
  | 'reserialises-metadata'
  | 'loose-numbers'
  | 'cacheable-head'
  | 'stores-mismatch'
  | 'reversed-concat'
  | 'hangs-on-conflict'
  | 'ignores-version'
  | 'no-version-list'
  | 'iso-dates'
  | 'offset-of-nothing'
  | 'keeps-deleted'
  | 'patches-final'
  | 'trusts-forwarded'
  | 'raw-disposition'
  | 'decodes-paths'
  | 'mixes-writers'
  | 'deferred-is-zero'
  | 'shows-unverified'
  | 'lists-too-much'
  | 'stores-beyond-length'
  | 'continues-blindly'
  | 'range-off-by-one'
  | 'cors-on-success-only'
  | 'ignores-override'
  | 'drops-byte'
  | 'changes-length'
  | 'waits-for-body'
  | 'forgets-expiry-on-patch'
  | 'ignores-trailer'
  | 'fails-on-nul'

export interface MiniUpload {
  readonly id: string
  data: Buffer
  length: number | undefined
  readonly metadata: string | undefined
  readonly concat: string | undefined
  /** The parts of a final upload. */
  readonly parts: readonly MiniUpload[] | undefined
  readonly expires: Date
  /** Stops the request that is writing now, unless all of its body is here; resolves when it is done. */
  stop: (() => Promise<void>) | undefined
}

export class Refusal extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

export const maximumBytes = 1_048_576
export const algorithms: readonly string[] = ['sha1', 'sha256', 'md5']

export class MiniState {
  readonly uploads: Map<string, MiniUpload> = new Map()
  readonly gone: Set<string> = new Set()
  readonly #expireAfterMs: number

  constructor(expireAfterMs: number) {
    this.#expireAfterMs = expireAfterMs
  }

  add(fields: Pick<MiniUpload, 'length' | 'metadata' | 'concat' | 'parts'>): MiniUpload {
    const id = randomBytes(16).toString('hex')
    const expires = new Date(Date.now() + this.#expireAfterMs)
    const upload: MiniUpload = { id, data: Buffer.alloc(0), expires, stop: undefined, ...fields }
    this.uploads.set(id, upload)
    return upload
  }

  find(id: string): MiniUpload {
    const upload = this.uploads.get(id)
    if (upload === undefined) throw new Refusal(this.gone.has(id) ? 410 : 404, 'no such upload')
    const busy = upload.stop !== undefined
    if (!busy && !isComplete(upload) && upload.expires.getTime() < Date.now())
      throw new Refusal(410, 'expired')
    return upload
  }
}

export function isComplete(upload: MiniUpload): boolean {
  if (upload.parts !== undefined) return upload.parts.every(isComplete)
  return upload.length === upload.data.length
}

export function contentOf(upload: MiniUpload, reversed = false): Buffer {
  if (upload.parts === undefined) return upload.data
  const parts = upload.parts.map((part) => contentOf(part))
  return Buffer.concat(reversed ? parts.toReversed() : parts)
}

/** Length of an upload; of a final one as soon as all its parts know theirs. */
export function lengthOf(upload: MiniUpload): number | undefined {
  if (upload.parts === undefined) return upload.length
  const lengths = upload.parts.map(lengthOf)
  return lengths.includes(undefined)
    ? undefined
    : lengths.reduce<number>((sum, length) => sum + (length ?? 0), 0)
}

export function parseNumber(values: readonly string[] | undefined, loose: boolean): number | undefined {
  if (values === undefined) return undefined
  const text = values.join(', ').trim()
  if (loose && Number.isSafeInteger(Number(text)) && text !== '') return Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) throw new Refusal(400, 'not an integer')
  return Number(text)
}

/** The header as it is kept, or `undefined` if there is nothing in it. */
export function parseMetadata(values: readonly string[] | undefined): string | undefined {
  const text = values?.join(',').trim() ?? ''
  if (text === '') return undefined
  const seen = new Set<string>()
  for (const pair of text.split(',')) {
    const [, key, value = ''] = /^\s*([^\s,]+)(?: (\S*))?\s*$/.exec(pair) ?? []
    if (key === undefined || seen.has(key)) throw new Refusal(400, 'bad key')
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value))
      throw new Refusal(400, 'not base64')
    seen.add(key)
  }
  return text
}

export function decoded(upload: MiniUpload, key: string): string | undefined {
  const pair = upload.metadata?.split(',').find((item) => item.trim().startsWith(`${key} `))
  return pair === undefined ? undefined : Buffer.from(pair.trim().slice(key.length + 1), 'base64').toString()
}

/** Parses `Upload-Checksum`; `undefined` if there is none. */
export function parseChecksum(
  values: readonly string[] | undefined,
): { name: string; digest: string } | undefined {
  if (values === undefined) return undefined
  const [name = '', digest = '', ...rest] = (values[0] ?? '').split(' ')
  const known = algorithms.includes(name) && values.length === 1 && rest.length === 0
  const size = known ? createHash(name).update('').digest().length : 0
  const bytes = Buffer.from(digest, 'base64')
  if (!known || bytes.length !== size || bytes.toString('base64') !== digest)
    throw new Refusal(400, 'bad checksum')
  return { name, digest }
}

export function matches(checksum: { name: string; digest: string }, body: Buffer): boolean {
  return createHash(checksum.name).update(body).digest('base64') === checksum.digest
}
