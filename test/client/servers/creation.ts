import { randomBytes } from 'node:crypto'
import type { Exchange } from './scripted-server.ts'
import { ScriptedUpload } from './scripted-upload.ts'
import { numberIn, OCTETS, receive } from './uploads.ts'

export function options(exchange: Exchange): void {
  const { extensions, optionsStatus, checksum } = exchange.world.dialect
  exchange.answer(optionsStatus, {
    'Tus-Version': '1.0.0',
    'Tus-Extension': extensions.join(','),
    ...(checksum === undefined ? {} : { 'Tus-Checksum-Algorithm': checksum.algorithms.join(',') }),
  })
}

export async function create(exchange: Exchange): Promise<void> {
  const { dialect } = exchange.world
  const refusal = dialect.refuseCreation?.(exchange) ?? refusalOf(exchange)
  if (refusal !== undefined) {
    exchange.request.resume()
    return exchange.answer(refusal.status, {}, refusal.body)
  }
  const concat = dialect.extensions.includes('concatenation') ? exchange.header('upload-concat') : undefined
  if (concat?.startsWith('final;') === true) return concatenate(exchange, concat)
  const upload = add(exchange, concat, numberIn(exchange.header('upload-length')))
  // A server without creation-with-upload creates an empty upload and drops the body.
  if (!dialect.extensions.includes('creation-with-upload') || exchange.header('content-type') !== OCTETS) {
    exchange.request.resume()
    if (upload.isComplete) dialect.onComplete?.(upload)
    return created(exchange, upload)
  }
  if (await receive(exchange, upload)) created(exchange, upload, { 'Upload-Offset': upload.offset })
}

function refusalOf(exchange: Exchange): { status: number; body: string } | undefined {
  const { extensions } = exchange.world.dialect
  const isFinal = exchange.header('upload-concat')?.startsWith('final;') === true
  const hasConcat = extensions.includes('concatenation')
  if (exchange.header('upload-concat') !== undefined && !hasConcat)
    return { status: 501, body: 'no concatenation' }
  if (isFinal) return undefined
  if (exchange.header('upload-defer-length') === '1' && extensions.includes('creation-defer-length'))
    return undefined
  const length = numberIn(exchange.header('upload-length'))
  return length === undefined ? { status: 400, body: 'ERR_INVALID_UPLOAD_LENGTH: no length\n' } : undefined
}

function add(exchange: Exchange, concat: string | undefined, length: number | undefined): ScriptedUpload {
  const { uploads, basePath } = exchange.world
  const path = `${basePath}${randomBytes(16).toString('hex')}`
  const metadata = exchange.header('upload-metadata')
  const upload = new ScriptedUpload(path, { length, metadata, concat })
  uploads.set(path, upload)
  return upload
}

function created(
  exchange: Exchange,
  upload: ScriptedUpload,
  fields: Readonly<Record<string, string | number>> = {},
): void {
  const { dialect } = exchange.world
  const origin = dialect.isLocationAbsolute ? `http://${exchange.header('host')}` : ''
  exchange.answer(201, { Location: `${origin}${upload.path}`, ...dialect.writeFields?.(), ...fields })
}

function concatenate(exchange: Exchange, concat: string): void {
  const { uploads, dialect } = exchange.world
  exchange.request.resume()
  const paths = concat.slice('final;'.length).split(' ')
  const parts = paths.map((url) => uploads.get(new URL(url, 'http://any').pathname))
  const isReady = parts.every((part) => part?.concat === 'partial' && part.isComplete && !part.isGone)
  if (!isReady)
    return exchange.answer(400, {}, 'ERR_UPLOAD_NOT_FINISHED: one of the partial uploads is not finished\n')
  const length = parts.reduce((sum, part) => sum + (part?.offset ?? 0), 0)
  const upload = add(exchange, concat, length)
  for (const part of parts) if (part !== undefined) upload.append(part.bytes)
  dialect.onComplete?.(upload)
  created(exchange, upload)
}
