import type { Exchange } from './scripted-server.ts'
import type { ScriptedUpload } from './scripted-upload.ts'
import { matches } from './scripted-upload.ts'

export const OCTETS = 'application/offset+octet-stream'

export function look(exchange: Exchange, upload: ScriptedUpload): void {
  const { dialect } = exchange.world
  preempt(exchange, upload)
  const length =
    upload.length === undefined ? { 'Upload-Defer-Length': 1 } : { 'Upload-Length': upload.length }
  exchange.answer(dialect.headStatus, {
    'Upload-Offset': upload.offset,
    'Cache-Control': 'no-store',
    ...length,
    ...(upload.metadata === undefined ? {} : { 'Upload-Metadata': upload.metadata }),
    ...(upload.concat === undefined ? {} : { 'Upload-Concat': upload.concat }),
    // A HEAD by override is answered as what it looks like: nobody could tell a length without content from a cut.
    ...(exchange.arrived.method === 'HEAD' && dialect.headFields?.(upload)),
  })
}

export function terminate(exchange: Exchange, upload: ScriptedUpload): void {
  preempt(exchange, upload)
  upload.isGone = true
  exchange.answer(204)
}

export async function append(exchange: Exchange, upload: ScriptedUpload): Promise<void> {
  preempt(exchange, upload)
  const refusal = refusalOf(exchange, upload)
  if (refusal !== undefined) {
    exchange.request.resume()
    const { isOffsetInConflict } = exchange.world.dialect
    const offset = refusal === 409 && isOffsetInConflict === true ? { 'Upload-Offset': upload.offset } : {}
    return exchange.answer(refusal, offset)
  }
  if (upload.concat?.startsWith('final;') === true) return exchange.answer(403)
  upload.length ??= numberIn(exchange.header('upload-length'))
  if (!(await receive(exchange, upload))) return
  exchange.answer(204, { 'Upload-Offset': upload.offset, ...exchange.world.dialect.writeFields?.() })
}

function refusalOf(exchange: Exchange, upload: ScriptedUpload): number | undefined {
  const { statuses } = exchange.world.dialect
  if (exchange.header('content-type') !== OCTETS) return statuses.wrongType
  const offset = numberIn(exchange.header('upload-offset'))
  if (offset === undefined) return statuses.missingOffset
  if (offset !== upload.offset) return 409
  if (upload.isComplete && statuses.complete !== 204) return statuses.complete
  // tusd and @tus/server refuse a length for an upload that has one, be it the same one.
  if (upload.length !== undefined && exchange.header('upload-length') !== undefined) return 400
  return undefined
}

/**
 * Takes the body of a request into an upload.
 *
 * @returns Whether an answer is still to be given.
 */
export async function receive(exchange: Exchange, upload: ScriptedUpload): Promise<boolean> {
  const { world, request } = exchange
  const refusal = bodyRefusalOf(exchange, upload)
  if (refusal === 'cut') request.socket.resetAndDestroy()
  else if (refusal === 'ignored') request.resume()
  else if (refusal !== undefined) refuseBody(exchange, refusal)
  if (refusal !== undefined) return refusal === 'ignored'
  world.writers.set(upload, request)
  const failure = world.dialect.isBuffering ? await gather(exchange, upload) : await stream(exchange, upload)
  if (world.writers.get(upload) === request) world.writers.delete(upload)
  if (failure === 'broken') return false
  if (failure !== undefined) exchange.answer(failure)
  else if (upload.isComplete) world.dialect.onComplete?.(upload)
  return failure === undefined
}

function bodyRefusalOf(exchange: Exchange, upload: ScriptedUpload): number | 'cut' | 'ignored' | undefined {
  const { maxBodyBytes = Infinity, overLimit, chunkedBodies, statuses } = exchange.world.dialect
  const isChunked = exchange.header('transfer-encoding') !== undefined
  if (isChunked && chunkedBodies !== 'taken') return chunkedBodies === 'refused' ? 411 : 'ignored'
  const bodyBytes = numberIn(exchange.header('content-length')) ?? 0
  if (bodyBytes > maxBodyBytes) return overLimit === 'cut' ? 'cut' : 413
  return upload.offset + bodyBytes > (upload.length ?? Infinity) ? statuses.overLength : undefined
}

/** Answers before the body is there and reads on for a while, so that the answer is not lost to a reset. */
function refuseBody(exchange: Exchange, status: number): void {
  exchange.answer(status, { Connection: 'close' })
  exchange.request.resume()
}

type Failure = number | 'broken'

async function gather(exchange: Exchange, upload: ScriptedUpload): Promise<Failure | undefined> {
  const { maxBodyBytes = Infinity, checksum, statuses } = exchange.world.dialect
  const offset = upload.offset
  const chunks: Buffer[] = []
  try {
    for await (const chunk of exchange.request) chunks.push(chunk as Buffer)
  } catch {
    return 'broken'
  }
  const bytes = Buffer.concat(chunks)
  if (bytes.length > maxBodyBytes) return 413
  if (offset !== upload.offset) return 409
  if (offset + bytes.length > (upload.length ?? Infinity)) return statuses.overLength
  const field = exchange.header('upload-checksum')
  if (checksum !== undefined && field !== undefined) {
    const isRight = matches(field, checksum.algorithms, bytes) ?? (checksum.isUnknownIgnored || undefined)
    if (isRight !== true) return isRight === undefined ? 400 : checksum.mismatchStatus
  }
  upload.append(bytes)
  return undefined
}

async function stream(exchange: Exchange, upload: ScriptedUpload): Promise<Failure | undefined> {
  try {
    for await (const chunk of exchange.request as AsyncIterable<Buffer>) {
      // A newer request has taken over.
      if (exchange.world.writers.get(upload) !== exchange.request) return 'broken'
      const room = (upload.length ?? Infinity) - upload.offset
      upload.append(chunk.subarray(0, Math.min(chunk.length, room)))
      if (chunk.length > room) return exchange.world.dialect.statuses.overLength
    }
    return undefined
  } catch {
    return 'broken'
  }
}

/** The newest request wins: the one that writes is cut off, its bytes so far stay. */
function preempt(exchange: Exchange, upload: ScriptedUpload): void {
  const { writers, dialect } = exchange.world
  const writer = writers.get(upload)
  if (dialect.isBuffering || writer === undefined) return
  writers.delete(upload)
  writer.socket.destroy()
}

export function numberIn(field: string | undefined): number | undefined {
  return field !== undefined && /^\d+$/.test(field) ? Number(field) : undefined
}
