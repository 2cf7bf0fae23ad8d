import { createHash } from 'node:crypto'

/** How the in-memory server of the scripted transport behaves. Everything may be changed between requests. */
export interface TusBehaviour {
  /** What `Tus-Extension` announces; what is not announced is refused or ignored, as real servers do. */
  extensions: string[]
  checksumAlgorithms: string[]
  maxSizeBytes: number | undefined
  /** Bodies above this are answered 413 before anything is stored, as proxies do. */
  maxBodyBytes: number | undefined
  /** Form of `Location`: tusd writes absolute ones, others a path. */
  location: 'absolute' | 'path'
  /** Status of OPTIONS and of HEAD: 200 or 204 both exist. */
  optionsStatus: number
  headStatus: number
  /** Whether `X-HTTP-Method-Override` counts. */
  overrides: boolean
  /** Lifetime given to new uploads, as `Upload-Expires`. */
  expiresAtMs: number | undefined
}

export interface MemoryUpload {
  readonly url: string
  content: Uint8Array
  length: number | undefined
  readonly metadata: string | undefined
  /** `Upload-Concat` as it was sent. */
  readonly concat: string | undefined
  readonly expiresAtMs: number | undefined
}

export interface TusCall {
  readonly method: string
  readonly url: string
  header(name: string): string | undefined
  /** The bytes that arrived. */
  readonly body: Uint8Array
  /** Whether they are all that was announced. A checksum over a cut body discards it. */
  readonly isWhole: boolean
}

export interface TusAnswer {
  status: number
  headers: Record<string, string>
  body: Uint8Array
}

/** Just enough of a tus 1.0 server, in memory, to answer a client. It also serves complete uploads by GET with Range. */
export class MemoryTus {
  readonly uploads: Map<string, MemoryUpload> = new Map()
  /** URLs that answer 410 from now on. */
  readonly gone: Set<string> = new Set()
  readonly behaviour: TusBehaviour
  #made = 0

  constructor(behaviour: Partial<TusBehaviour> = {}) {
    this.behaviour = {
      extensions: [
        'creation',
        'creation-with-upload',
        'creation-defer-length',
        'expiration',
        'checksum',
        'termination',
        'concatenation',
      ],
      checksumAlgorithms: ['sha1', 'sha256', 'sha512', 'md5'],
      maxSizeBytes: undefined,
      maxBodyBytes: undefined,
      location: 'absolute',
      optionsStatus: 204,
      headStatus: 200,
      overrides: true,
      expiresAtMs: undefined,
      ...behaviour,
    }
  }

  /** Makes an upload as if an earlier client had begun it. */
  begin(url: string, upload: Partial<Omit<MemoryUpload, 'url'>> = {}): MemoryUpload {
    const made = {
      content: new Uint8Array(0),
      length: undefined,
      metadata: undefined,
      concat: undefined,
      expiresAtMs: this.behaviour.expiresAtMs,
      ...upload,
      url,
    }
    this.uploads.set(url, made)
    return made
  }

  answer(call: TusCall): TusAnswer {
    if (call.method === 'OPTIONS') return this.#options()
    if (call.method !== 'GET' && call.header('Tus-Resumable') !== '1.0.0') {
      return plain(412, { 'Tus-Version': '1.0.0' })
    }
    if (call.body.length > (this.behaviour.maxBodyBytes ?? Infinity)) return plain(413)
    if (call.method === 'POST') return this.#create(call)
    if (this.gone.has(call.url)) return plain(410)
    const upload = this.uploads.get(call.url)
    if (upload === undefined) return plain(404)
    if (call.method === 'HEAD') return this.#head(upload)
    if (call.method === 'PATCH') return this.#append(call, upload)
    if (call.method === 'GET') return download(call, upload)
    if (call.method === 'DELETE' && this.#has('termination')) {
      this.uploads.delete(call.url)
      return plain(204)
    }
    return plain(405)
  }

  #has(extension: string): boolean {
    return this.behaviour.extensions.includes(extension)
  }

  #options(): TusAnswer {
    const { extensions, checksumAlgorithms, maxSizeBytes, optionsStatus } = this.behaviour
    const headers: Record<string, string> = { 'Tus-Version': '1.0.0' }
    if (extensions.length > 0) headers['Tus-Extension'] = extensions.join(',')
    if (this.#has('checksum')) headers['Tus-Checksum-Algorithm'] = checksumAlgorithms.join(',')
    if (maxSizeBytes !== undefined) headers['Tus-Max-Size'] = String(maxSizeBytes)
    return plain(optionsStatus, headers)
  }

  #create(call: TusCall): TusAnswer {
    if (this.uploads.has(call.url)) return plain(405)
    const concat = call.header('Upload-Concat')
    if (concat !== undefined && !this.#has('concatenation')) return plain(400)
    const final = concat?.startsWith('final;') === true ? this.#joined(concat, call.url) : undefined
    if (final === null) return plain(400)
    const length = final?.length ?? integerOf(call.header('Upload-Length'))
    const isDeferred = call.header('Upload-Defer-Length') === '1'
    if (length === undefined && !(isDeferred && this.#has('creation-defer-length'))) return plain(400)
    if ((length ?? 0) > (this.behaviour.maxSizeBytes ?? Infinity)) return plain(413)
    const takesBody = this.#has('creation-with-upload') && final === undefined && call.body.length > 0
    if (takesBody && !this.#isIntact(call)) return plain(460)
    this.#made += 1
    const path = `${new URL(call.url).pathname.replace(/\/$/, '')}/${this.#made}`
    const url = new URL(path, call.url).href
    const upload = this.begin(url, { length, metadata: call.header('Upload-Metadata'), concat })
    upload.content = final ?? (takesBody ? call.body.slice(0, length) : upload.content)
    const headers = { Location: this.behaviour.location === 'path' ? path : url, ...expiry(upload) }
    return plain(201, takesBody ? { ...headers, 'Upload-Offset': String(upload.content.length) } : headers)
  }

  #head(upload: MemoryUpload): TusAnswer {
    const headers: Record<string, string> = {
      'Upload-Offset': String(upload.content.length),
      'Cache-Control': 'no-store',
      ...expiry(upload),
    }
    if (upload.length === undefined) headers['Upload-Defer-Length'] = '1'
    else headers['Upload-Length'] = String(upload.length)
    if (upload.metadata !== undefined) headers['Upload-Metadata'] = upload.metadata
    if (upload.concat !== undefined) headers['Upload-Concat'] = upload.concat
    return plain(this.behaviour.headStatus, headers)
  }

  #append(call: TusCall, upload: MemoryUpload): TusAnswer {
    if (upload.concat?.startsWith('final') === true) return plain(403)
    if (call.header('Content-Type') !== 'application/offset+octet-stream') return plain(415)
    const offset = integerOf(call.header('Upload-Offset'))
    if (offset === undefined) return plain(400)
    if (offset !== upload.content.length) return plain(409)
    const length = upload.length ?? integerOf(call.header('Upload-Length'))
    if (offset + call.body.length > (length ?? this.behaviour.maxSizeBytes ?? Infinity)) return plain(413)
    if (call.header('Upload-Checksum') !== undefined && this.#has('checksum')) {
      const name = call.header('Upload-Checksum')?.split(' ')[0] ?? ''
      if (!this.behaviour.checksumAlgorithms.includes(name)) return plain(400)
      if (!this.#isIntact(call)) return plain(460)
    }
    upload.length = length
    upload.content = concatenated([upload.content, call.body])
    return plain(204, { 'Upload-Offset': String(upload.content.length), ...expiry(upload) })
  }

  #isIntact(call: TusCall): boolean {
    const field = call.header('Upload-Checksum')
    if (field === undefined || !this.#has('checksum')) return true
    const [name = '', digest] = field.split(' ')
    return call.isWhole && createHash(name).update(call.body).digest('base64') === digest
  }

  #joined(concat: string, base: string): Uint8Array | null {
    const parts = concat
      .slice('final;'.length)
      .split(' ')
      .filter((url) => url !== '')
    const uploads = parts.map((part) => this.uploads.get(new URL(part, base).href))
    const content: Uint8Array[] = []
    for (const part of uploads) {
      if (part?.concat !== 'partial' || part.content.length !== part.length) return null
      content.push(part.content)
    }
    return concatenated(content)
  }
}

function download(call: TusCall, upload: MemoryUpload): TusAnswer {
  const etag = `"${upload.url.length}-${createHash('sha1').update(upload.content).digest('hex')}"`
  const headers = { ETag: etag, 'Content-Length': String(upload.content.length), 'Accept-Ranges': 'bytes' }
  const ifRange = call.header('If-Range')
  const first = /^bytes=(\d+)-$/.exec(call.header('Range') ?? '')?.[1]
  if (first === undefined || (ifRange !== undefined && ifRange !== etag)) {
    return { status: 200, headers, body: upload.content }
  }
  const start = Number(first)
  const size = upload.content.length
  if (start >= size) return plain(416, { ETag: etag, 'Content-Range': `bytes */${size}` })
  const body = upload.content.subarray(start)
  const range = {
    'Content-Range': `bytes ${start}-${size - 1}/${size}`,
    'Content-Length': String(body.length),
  }
  return { status: 206, headers: { ...headers, ...range }, body }
}

function expiry({ expiresAtMs }: MemoryUpload): Record<string, string> {
  return expiresAtMs === undefined ? {} : { 'Upload-Expires': new Date(expiresAtMs).toUTCString() }
}

function plain(status: number, headers: Record<string, string> = {}): TusAnswer {
  return { status, headers: { 'Tus-Resumable': '1.0.0', ...headers }, body: new Uint8Array(0) }
}

function integerOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

export function concatenated(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks))
}
