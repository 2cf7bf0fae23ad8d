import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerOptions, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { receive } from './mini-body.ts'
import { serveDownload } from './mini-download.ts'
import {
  algorithms,
  contentOf,
  isComplete,
  lengthOf,
  maximumBytes,
  MiniState,
  parseChecksum,
  parseMetadata,
  parseNumber,
  Refusal,
  type Defect,
  type MiniUpload,
} from './mini-state.ts'

export interface MiniServer {
  readonly url: string
  /** Uploads that have not been terminated. */
  readonly kept: () => number
  readonly close: () => Promise<void>
}

export interface MiniOptions {
  readonly defect?: Defect
  /** Idle time after which a stalled body is given up. */
  readonly stallMs?: number
  readonly expireAfterMs?: number
  /** Extensions that are switched off. */
  readonly without?: readonly string[]
}

const allExtensions = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'expiration',
  'checksum',
  'checksum-trailer',
  'termination',
  'concatenation',
  'concatenation-unfinished',
]

const exposed =
  'Location, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, Upload-Defer-Length, Upload-Metadata, Upload-Expires, Upload-Concat'

/** One request on its way through the mini server. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly method: string
  readonly fields: NodeJS.Dict<string[]>
  readonly options: MiniOptions
  readonly state: MiniState
  /** Sends 100 Continue if it was asked for. */
  readonly goOn: () => void
}

/** A whole tus 1.0 server in memory: small, correct by the suite's own measure, and broken on demand. */
export async function miniServer(options: MiniOptions = {}): Promise<MiniServer> {
  const state = new MiniState(options.expireAfterMs ?? 3_600_000)
  const settings: ServerOptions = { requestTimeout: 0, keepAliveTimeout: 1000 }
  const listener = (req: IncomingMessage, res: ServerResponse, goOn: () => void): void => {
    const { res: _, ...rest } = { res, req, goOn, options, state }
    void handle({ ...rest, res, ...methodOf(req, options), fields: req.headersDistinct })
  }
  const server = createServer(settings, (req, res) => listener(req, res, () => undefined))
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    if (options.defect === 'continues-blindly') res.writeContinue()
    listener(req, res, () => res.writeContinue())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/files/`,
    kept: () => state.uploads.size,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function methodOf(req: IncomingMessage, { defect }: MiniOptions): { method: string } {
  const values = req.headersDistinct['x-http-method-override']
  const tus = req.headers['tus-resumable'] !== undefined
  if (values === undefined || !tus || defect === 'ignores-override') return { method: req.method ?? '' }
  return { method: values.join(', ').toUpperCase() }
}

async function handle(exchange: Exchange): Promise<void> {
  const { req, res, options, fields } = exchange
  const origin = fields['origin']?.[0]
  if (origin !== undefined && options.defect !== 'cors-on-success-only') allowOrigin(res)
  try {
    res.setHeader('Cache-Control', 'no-store')
    await answer(exchange)
    if (origin !== undefined) allowOrigin(res)
    res.end()
  } catch (error) {
    const refusal = error instanceof Refusal ? error : new Refusal(500, String(error))
    if (refusal.status === 409 && options.defect === 'hangs-on-conflict') return
    if (options.defect === 'bare-errors') res.removeHeader('Tus-Resumable')
    for (const [name, value] of Object.entries(refusal.headers)) res.setHeader(name, value)
    await drain(req, options.defect === 'waits-for-body')
    if (!req.complete) res.setHeader('Connection', 'close')
    if (refusal.status === 460) res.writeHead(460, 'Checksum Mismatch')
    else res.writeHead(refusal.status)
    res.end(req.method === 'HEAD' ? undefined : `${refusal.message}\n`)
  }
}

/** Answering while bytes are on their way makes the kernel reset the connection: take them in first, briefly. */
async function drain(req: IncomingMessage, patiently: boolean): Promise<void> {
  req.resume()
  if (req.complete || req.destroyed) return
  await new Promise<void>((resolve) => {
    req.once('end', resolve)
    req.once('close', resolve)
    if (!patiently) setTimeout(resolve, 100)
  })
}

function allowOrigin(res: ServerResponse): void {
  res.setHeader('Access-Control-Allow-Origin', '*')
  res.setHeader('Access-Control-Expose-Headers', exposed)
}

async function answer(exchange: Exchange): Promise<void> {
  const { req, res, method, fields, options, state } = exchange
  const { defect } = options
  const target = req.url ?? ''
  if ((fields['host'] ?? []).length > 1) throw new Refusal(400, 'two Hosts')
  if (method === 'OPTIONS') return announce(exchange)
  const id =
    /^\/files\/([0-9a-f]{32})$/.exec(target)?.[1] ??
    (defect === 'decodes-paths' ? loosely(target) : undefined)
  if (defect === 'fails-on-nul' && target.includes('%00')) throw new Refusal(500, 'ENOENT')
  if (method === 'GET') return serveDownload(exchange, state.find(id ?? ''))
  res.setHeader('Tus-Resumable', '1.0.0')
  const version = fields['tus-resumable']?.join(', ')
  if (version !== '1.0.0' && !(method === 'HEAD' && version === undefined) && defect !== 'ignores-version') {
    throw new Refusal(412, 'version', defect === 'no-version-list' ? {} : { 'Tus-Version': '1.0.0' })
  }
  if (target === '/files/') {
    if (method !== 'POST') throw new Refusal(405, 'only POST here', { Allow: 'POST, OPTIONS' })
    return await create(exchange)
  }
  if (id === undefined) throw new Refusal(404, 'no such upload')
  if (method === 'HEAD') return await look(exchange, id)
  if (method === 'PATCH') return await append(exchange, state.find(id))
  if (method === 'DELETE' && !options.without?.includes('termination')) return await terminate(exchange, id)
  throw new Refusal(405, 'no such method', { Allow: 'HEAD, PATCH, OPTIONS' })
}

function loosely(target: string): string | undefined {
  return /([0-9a-f]{32})(?:[^0-9a-f]|$)/.exec(target)?.[1]
}

function announce({ req, res, options }: Exchange): void {
  const names = allExtensions.filter((name) => !options.without?.includes(name))
  res.statusCode = 204
  res.setHeader('Tus-Resumable', '1.0.0')
  res.setHeader('Tus-Version', '1.0.0')
  res.setHeader('Tus-Extension', (options.defect === 'lists-too-much' ? allExtensions : names).join(','))
  res.setHeader('Tus-Max-Size', String(maximumBytes))
  res.setHeader('Tus-Checksum-Algorithm', algorithms.join(','))
  if (req.headers['access-control-request-method'] === undefined) return
  res.setHeader('Access-Control-Allow-Methods', 'POST, HEAD, PATCH, DELETE, OPTIONS, GET')
  res.setHeader('Access-Control-Allow-Headers', req.headers['access-control-request-headers'] ?? '')
}

function off({ options }: Exchange, name: string): boolean {
  return options.without?.includes(name) ?? false
}

async function create(exchange: Exchange): Promise<void> {
  const { req, res, fields, options, state } = exchange
  const loose = options.defect === 'loose-numbers'
  const length = parseNumber(fields['upload-length'], loose)
  const defer = fields['upload-defer-length']?.join(', ')
  const concat = fields['upload-concat']?.join(', ')
  if (concat !== undefined && off(exchange, 'concatenation')) throw new Refusal(501, 'no concatenation')
  if (defer !== undefined && (defer !== '1' || off(exchange, 'creation-defer-length')))
    throw new Refusal(400, 'defer')
  const final = concat !== undefined && concat !== 'partial'
  if (final && (length !== undefined || defer !== undefined)) throw new Refusal(400, 'final has no length')
  if (!final && (length === undefined) === (defer === undefined)) throw new Refusal(400, 'length or defer')
  if ((length ?? 0) > maximumBytes) throw new Refusal(413, 'too large')
  const metadata = parseMetadata(fields['upload-metadata'])
  const parts = final ? partsOf(exchange, concat) : undefined
  const body = hasBody(req)
  if (body && final) throw new Refusal(400, 'a final upload has no body')
  if (body && !isOffsetOctets(req)) throw new Refusal(415, 'media type')
  const known = defer === undefined ? length : options.defect === 'deferred-is-zero' ? 0 : undefined
  const upload = state.add({ length: known, metadata, concat, parts })
  try {
    if (body) await receive(exchange, upload, parseChecksum(fields['upload-checksum']))
  } catch (error) {
    state.uploads.delete(upload.id)
    throw error
  }
  res.statusCode = 201
  res.setHeader('Location', locationOf(exchange, upload))
  if (isOffsetOctets(req)) res.setHeader('Upload-Offset', String(upload.data.length))
  if (!isComplete(upload)) tellExpiry(exchange, upload)
}

function locationOf({ req, options }: Exchange, { id }: MiniUpload): string {
  const host = req.headers['x-forwarded-host'] ?? ''
  return options.defect === 'trusts-forwarded' && host !== ''
    ? `http://${String(host)}/files/${id}`
    : `/files/${id}`
}

function partsOf({ req, state }: Exchange, concat: string): MiniUpload[] {
  if (!concat.startsWith('final;')) throw new Refusal(400, 'concat')
  const urls = concat
    .slice('final;'.length)
    .split(' ')
    .filter((url) => url !== '')
  const base = `http://${req.headers.host ?? ''}/files/`
  const parts = urls.map((url) => {
    if (!URL.canParse(url, base) || new URL(url, base).origin !== new URL(base).origin)
      throw new Refusal(400, 'url')
    const { pathname, search, hash } = new URL(url, base)
    const id = /^\/files\/([0-9a-f]{32})$/.exec(pathname + search + hash)?.[1]
    if (id === undefined) throw new Refusal(400, 'url')
    return state.find(id)
  })
  if (parts.length === 0 || parts.some((part) => part.concat !== 'partial'))
    throw new Refusal(400, 'not partial')
  if (parts.reduce((sum, part) => sum + (part.length ?? 0), 0) > maximumBytes)
    throw new Refusal(413, 'too large')
  return parts
}

async function look({ res, options, state }: Exchange, id: string): Promise<void> {
  const { defect } = options
  if (defect === 'offset-of-nothing') res.setHeader('Upload-Offset', '0')
  const upload = state.find(id)
  if (defect !== 'shows-unverified') await upload.stop?.()
  const length = lengthOf(upload)
  res.statusCode = 200
  if (defect === 'cacheable-head') res.removeHeader('Cache-Control')
  if (length === undefined && upload.parts === undefined) res.setHeader('Upload-Defer-Length', '1')
  if (length !== undefined) res.setHeader('Upload-Length', String(length))
  if (upload.parts === undefined || isComplete(upload))
    res.setHeader('Upload-Offset', String(contentOf(upload).length))
  else res.removeHeader('Upload-Offset')
  if (upload.metadata !== undefined) res.setHeader('Upload-Metadata', shownMetadata(upload.metadata, defect))
  if (upload.concat !== undefined) res.setHeader('Upload-Concat', upload.concat)
  if (!isComplete(upload)) tellExpiry({ res, options }, upload)
}

function shownMetadata(metadata: string, defect: Defect | undefined): string {
  return defect === 'reserialises-metadata'
    ? metadata
        .split(',')
        .map((pair) => pair.trim())
        .sort()
        .join(',')
    : metadata
}

function tellExpiry({ res, options }: Pick<Exchange, 'res' | 'options'>, { expires }: MiniUpload): void {
  if (options.without?.includes('expiration')) return
  const text = options.defect === 'iso-dates' ? expires.toISOString() : expires.toUTCString()
  res.setHeader('Upload-Expires', text)
}

async function append(exchange: Exchange, upload: MiniUpload): Promise<void> {
  const { req, res, fields, options } = exchange
  const { defect } = options
  if (upload.parts !== undefined && defect !== 'patches-final') throw new Refusal(403, 'a final upload')
  if (!isComplete(upload) && defect !== 'forgets-expiry-on-patch') tellExpiry(exchange, upload)
  if (!isOffsetOctets(req)) throw new Refusal(415, 'media type')
  const values = fields['upload-offset']
  if (values === undefined || values.length > 1) throw new Refusal(400, 'one offset')
  const offset = parseNumber(values, defect === 'loose-numbers')
  const length = parseNumber(fields['upload-length'], defect === 'loose-numbers')
  await upload.stop?.()
  const current = upload.data.length
  if (offset !== current && defect !== 'accepts-any-offset') {
    throw new Refusal(409, 'offset', { 'Upload-Offset': String(current) })
  }
  const bytes = Number(req.headers['content-length'] ?? 0)
  if (length !== undefined) checkLength(upload, length, current + bytes, defect)
  if (current + bytes > (length ?? upload.length ?? maximumBytes)) throw new Refusal(413, 'too much')
  const checksum = parseChecksum(fields['upload-checksum'])
  await receive(exchange, upload, checksum, length)
  if (isComplete(upload)) res.removeHeader('Upload-Expires')
  res.statusCode = defect === 'patch-says-200' ? 200 : 204
  res.setHeader('Upload-Offset', String(upload.data.length + (defect === 'offset-off-by-one' ? 1 : 0)))
}

function checkLength(upload: MiniUpload, length: number, reached: number, defect: Defect | undefined): void {
  if (upload.length !== undefined && upload.length !== length) {
    if (defect !== 'changes-length') throw new Refusal(400, 'the length never changes')
    upload.length = length
  }
  if (length < reached) throw new Refusal(400, 'shorter than its content')
  if (length > maximumBytes) throw new Refusal(413, 'too large')
}

async function terminate({ res, options, state }: Exchange, id: string): Promise<void> {
  const upload = state.find(id)
  await upload.stop?.()
  res.statusCode = 204
  if (options.defect === 'keeps-deleted') return
  state.uploads.delete(id)
  state.gone.add(id)
}

function hasBody(req: IncomingMessage): boolean {
  return Number(req.headers['content-length'] ?? 0) > 0 || req.headers['transfer-encoding'] !== undefined
}

function isOffsetOctets(req: IncomingMessage): boolean {
  const [type = ''] = (req.headers['content-type'] ?? '').split(';')
  return type.trim().toLowerCase() === 'application/offset+octet-stream'
}
