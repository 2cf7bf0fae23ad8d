import { TUS_VERSION } from '../protocol/tus1/headers.ts'
import type { Clock } from '../core/ports/clock.ts'
import { formatMetadata } from '../protocol/metadata.ts'
import type { ChunkSize } from './chunk-size.ts'
import { TransferError } from './errors.ts'
import type { TransportResponse } from './ports/transport.ts'
import { isSuccess } from './refusal.ts'
import type { Call, Requester } from './requester.ts'
import type { Retry } from './retry.ts'
import { Slicer } from './slicer.ts'
import type { Outgoing, SlicerOptions } from './slicer.ts'
import type { Terms } from './terms.ts'
import { expiresAtMsOf, lengthOf, locationOf, metadataOf, offsetOf } from './tus-answers.ts'

/** Sent with the creation at most: until its answer has come nobody knows where these bytes are. */
const CREATION_BYTES = 256 * 1024
const AGAIN_MS = 1000
const MOST_MISMATCHES = 5
/** An expiry that has moved by less is not worth a write to the storage. */
const EXPIRY_STEP_MS = 5 * 60_000

const TUS = { 'Tus-Resumable': TUS_VERSION }
const OFFSET_STREAM = 'application/offset+octet-stream'

/** What the transfers of one run share. */
export interface TransferContext extends Omit<SlicerOptions, 'checksum' | 'streamBytes'> {
  readonly clock: Clock
  readonly requester: Requester
  readonly chunks: ChunkSize
  readonly terms: Terms
  readonly signal: AbortSignal
  /** Of creations: outlives `signal` when an upload must be deleted whose URL is not known yet. */
  readonly creationSignal: AbortSignal
  makeRetry(onWait: (isWaiting: boolean) => void): Retry
  /** Bytes that may still be sent in this run. */
  room(): number
  /** Bytes have left. */
  moved(bytes: number): void
  /** Some transfer is at another place now. */
  changed(): void
  /** Some transfer waits, or works again. */
  activity(): void
  /** The URL or its expiry is known now, or the upload is known to be gone. */
  located(transfer: Transfer): Promise<void>
  lost(lost: LostUpload): Promise<'restart' | 'fail'>
  readonly warn: (message: string) => void
}

export interface LostUpload {
  readonly url: string
  readonly acceptedBytes: number
}

type Work = TransferContext & { readonly retry: Retry; readonly slicer: Slicer }

export interface TransferOptions {
  readonly startBytes: number
  /** `undefined`: where the source ends. */
  readonly endBytes?: number | undefined
  readonly url?: string | undefined
  /** The URL was remembered: if it is another upload's, a new one is made instead. */
  readonly isRemembered?: boolean
}

/**
 * Brings one range of a source to one upload resource: creates it, asks for its offset, appends.
 *
 * It keeps its place over runs. One step at a time, and each step starts from what the server said last: after every
 * failure HEAD comes before the next PATCH, after a success never.
 */
export class Transfer {
  readonly startBytes: number
  readonly endBytes: number | undefined
  url: string | undefined
  expiresAtMs: number | undefined
  /** Bytes the server has confirmed. */
  offset = 0
  /** Bytes of the request under way that have left. */
  inFlightBytes = 0
  isDone = false
  /** Whether it is running, and not waiting for the next attempt. */
  isActive = false
  #isRemembered: boolean
  #highestOffset = 0
  /** Whether `offset` is the server's, as far as anybody can know. */
  #isInStep = false
  #isLengthDeclared = true
  #sendsWithCreation = true
  #isSuspect = false
  /** An answer to PATCH made no sense at this offset. */
  #doubtedOffset: number | undefined
  #mismatches = 0
  /** Bytes of the last PATCH that had left when it broke off, and how often in a row nothing was left of them. */
  #brokenBytes = 0
  #fruitless = 0

  constructor({ startBytes, endBytes, url, isRemembered = false }: TransferOptions) {
    this.startBytes = startBytes
    this.endBytes = endBytes
    this.url = url
    this.#isRemembered = isRemembered
  }

  /** Works until everything is there, or there is no more room. */
  async run(context: TransferContext): Promise<void> {
    const { signal, terms } = context
    const slicer = new Slicer({ ...context, checksum: terms.checksum, streamBytes: terms.streamBytes })
    const setActive = (isActive: boolean): void => {
      this.isActive = isActive
      if (!signal.aborted) context.activity()
    }
    const work = { ...context, slicer, retry: context.makeRetry((isWaiting) => setActive(!isWaiting)) }
    this.isActive = true
    await this.#steps(work).finally(() => (this.isActive = false))
  }

  async #steps(work: Work): Promise<void> {
    const { signal } = work
    while (!this.isDone) {
      try {
        signal.throwIfAborted()
        if (this.url === undefined) await this.#create(work)
        else if (!this.#isInStep) await this.#synchronise(work, this.url)
        else if (work.room() <= 0) return
        else await this.#append(work, this.url)
      } catch (error) {
        this.#isInStep = false
        await work.retry.failed(error, signal)
      }
    }
  }

  /** Something is wrong with what was believed to be there: the next run asks the server again. */
  doubt(): void {
    this.isDone = this.#isInStep = false
  }

  #sizeBytes({ source }: Work): number | undefined {
    const endBytes = this.endBytes ?? source.sizeBytes
    return endBytes === undefined ? undefined : endBytes - this.startBytes
  }

  /**
   * tus 1.0 §Creation, with the first bytes where the server takes them.
   *
   * An answer that gets lost leaves an upload behind that nobody knows of; the protocol has no way to find it again.
   * That is why only little is sent along.
   */
  async #create(work: Work): Promise<void> {
    const { terms, creationSignal: signal, signal: runSignal } = work
    const { endpoint } = terms
    if (endpoint === undefined)
      throw new TransferError('protocol', 'no endpoint is given to create an upload at')
    const sends =
      terms.sendsWithCreation && this.#sendsWithCreation && this.#sizeBytes(work) !== 0 && work.room() > 0
    const first = sends ? await this.#next(work, Math.min(CREATION_BYTES, work.room()), signal) : undefined
    const length = terms.defersLength && first?.isLast !== true ? undefined : this.#sizeBytes(work)
    const body = first !== undefined && first.sizeBytes > 0 ? first : undefined
    const headers = { ...this.#creationHeaders(work, length), ...(body && { 'Content-Type': OFFSET_STREAM }) }
    const call = { method: 'POST', url: endpoint, headers, signal }
    // A line that breaks this early may do so again.
    this.#sendsWithCreation = body === undefined
    const response = await this.#send(work, call, body)
    this.#sendsWithCreation = true
    if (!isSuccess(response.status)) return await this.#refused(work, { call, response, body })
    this.url = createdAt(response, endpoint)
    this.#isRemembered = false
    this.#isLengthDeclared = length !== undefined
    this.expiresAtMs = expiresAtMsOf(response, work.clock.nowMs())
    const offset = body === undefined ? 0 : offsetOf(response)
    // Without a sound offset HEAD must tell how much of the content was taken.
    this.#isInStep = offset !== undefined && offset <= (body?.sizeBytes ?? 0)
    await work.located(this)
    runSignal.throwIfAborted()
    if (this.#isInStep) this.#accept(work, offset ?? 0)
  }

  #creationHeaders({ terms }: Work, length: number | undefined): Record<string, string> {
    const metadata = metadataField(terms.metadata)
    return {
      ...TUS,
      ...(length === undefined ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(length) }),
      ...(metadata !== '' && { 'Upload-Metadata': metadata }),
      ...(terms.isPartial && { 'Upload-Concat': 'partial' }),
    }
  }

  /** tus 1.0 §HEAD: where the server is, and whether this is the same upload at all. */
  async #synchronise(work: Work, url: string): Promise<void> {
    const { signal, requester, clock } = work
    await work.source.verify()
    const call = { method: 'HEAD', url, headers: TUS, signal }
    const response = await this.#send(work, call)
    if (!isSuccess(response.status)) return await this.#refused(work, { call, response })
    const offset = offsetOf(response)
    if (offset === undefined) throw requester.refusal(call, response, 'the answer has no valid Upload-Offset')
    this.#isSuspect = false
    const difference = this.#difference(work, response, offset)
    if (difference !== undefined) return await this.#reject(work, difference)
    if (this.#doubtedOffset !== undefined && offset <= this.#doubtedOffset) {
      throw new TransferError(
        'protocol',
        `the server takes bytes at ${offset} and its offset does not advance`,
      )
    }
    this.#doubtedOffset = undefined
    this.#weigh(work, offset)
    const isDeferred = lengthOf(response) === undefined && response.header('Upload-Defer-Length') === '1'
    this.#isLengthDeclared = !isDeferred
    this.#isInStep = true
    this.#accept(work, offset)
    await this.#noteExpiry(work, expiresAtMsOf(response, clock.nowMs()))
  }

  /** tus 1.0 §PATCH */
  async #append(work: Work, url: string): Promise<void> {
    const { signal, requester, clock } = work
    const before = this.offset
    const body = await this.#next(work, work.room(), signal)
    const after = before + body.sizeBytes
    const declares = !this.#isLengthDeclared && body.isLast
    const headers = {
      ...TUS,
      'Content-Type': OFFSET_STREAM,
      'Upload-Offset': String(before),
      ...(declares && { 'Upload-Length': String(after) }),
      ...(body.checksum !== undefined && { 'Upload-Checksum': body.checksum }),
    }
    const beganMs = clock.nowMs()
    const call = { method: 'PATCH', url, headers, signal }
    const response = await this.#send(work, call, body)
    if (!isSuccess(response.status)) return await this.#refused(work, { call, response, body })
    const offset = offsetOf(response)
    if (offset === undefined) throw requester.refusal(call, response, 'the answer has no valid Upload-Offset')
    // A server that does not advance would be asked for ever; HEAD tells whether it is only the answer that is wrong.
    const isSound = offset <= after && (offset > before || body.sizeBytes === 0)
    if (!isSound) {
      this.#doubtedOffset = before
      this.#isInStep = false
      return
    }
    this.#isLengthDeclared ||= declares
    this.#mismatches = this.#fruitless = 0
    this.#accept(work, offset)
    work.chunks.took(body.sizeBytes, clock.nowMs() - beganMs)
    await this.#noteExpiry(work, expiresAtMsOf(response, clock.nowMs()))
  }

  #next({ slicer }: Work, maxBytes: number, signal: AbortSignal): Promise<Outgoing> {
    const startBytes = this.startBytes + this.offset
    return slicer.next({ startBytes, endBytes: this.endBytes ?? Infinity, maxBytes, signal })
  }

  /** Sends a request; after an abort its answer is of no interest, except for a creation's. */
  async #send(work: Work, call: Call, body?: Outgoing): Promise<TransportResponse> {
    const onSent = (bytes: number): void => {
      if (work.signal.aborted) return
      work.moved(Math.max(0, bytes - this.inFlightBytes))
      this.inFlightBytes = bytes
      work.changed()
    }
    try {
      const response = await work.requester.send(
        body === undefined ? call : { ...call, body: body.body, onSent },
      )
      call.signal.throwIfAborted()
      if (body !== undefined && isSuccess(response.status))
        work.moved(Math.max(0, body.sizeBytes - this.inFlightBytes))
      return response
    } catch (error) {
      if (body !== undefined) this.#brokenBytes = this.inFlightBytes
      throw error
    } finally {
      this.inFlightBytes = 0
    }
  }

  /** Smaller requests, when nothing remains of one that breaks off, and again. */
  #weigh({ chunks }: Work, offset: number): void {
    const isFruitless = offset <= this.offset && this.#brokenBytes > 0
    this.#fruitless = isFruitless ? this.#fruitless + 1 : 0
    if (this.#fruitless > 1) chunks.ease(this.#brokenBytes)
    this.#brokenBytes = 0
  }

  #accept(work: Work, offset: number): void {
    if (offset > this.#highestOffset) {
      this.#highestOffset = offset
      work.retry.refill()
    }
    this.offset = offset
    work.source.release(this.startBytes + offset)
    this.isDone = this.#isLengthDeclared && offset === this.#sizeBytes(work)
    work.changed()
  }

  async #noteExpiry(work: Work, expiresAtMs: number | undefined): Promise<void> {
    if (expiresAtMs === undefined || Math.abs(expiresAtMs - (this.expiresAtMs ?? 0)) < EXPIRY_STEP_MS) return
    this.expiresAtMs = expiresAtMs
    await work.located(this)
  }

  /** Decides about an answer that is no 2xx. Returns when the next step shall follow at once. */
  async #refused(
    work: Work,
    answer: {
      readonly call: Call
      readonly response: TransportResponse
      readonly body?: Outgoing | undefined
    },
  ): Promise<void> {
    const { call, response, body } = answer
    const { status } = response
    const isCreation = call.method === 'POST'
    this.#isInStep = false
    const error = work.requester.refusal(
      call,
      response,
      isCreation ? 'cannot create the upload' : 'cannot upload',
    )
    if (status === 413 && body !== undefined) {
      const isSmaller = work.chunks.shrink(body.sizeBytes)
      // If it is the upload that is too large, and not this request, a creation without content says so at once.
      if (isCreation) this.#sendsWithCreation = false
      if (isSmaller || isCreation) return
    }
    const isUnheard = body?.checksum !== undefined && (status === 400 || status === 417)
    if (status === 460 || isUnheard) return await this.#mismatched(work, error)
    if (!isCreation && (status === 404 || status === 410)) return await this.#missing(work, error)
    throw error
  }

  /** The chunk is sent again. A server may answer otherwise than by 460, also because it cannot check at all. */
  async #mismatched({ retry, signal, slicer, terms, warn }: Work, error: TransferError): Promise<void> {
    const count = ++this.#mismatches
    if (count >= MOST_MISMATCHES) {
      throw new TransferError('protocol', `the checksum was refused ${count} times`, { cause: error })
    }
    if (error.status === 460) throw error
    if (count === 1 || terms.needsChecksum) return await retry.pause({ error, delayMs: AGAIN_MS, signal })
    warn('goes on without checksums, which the server announces and refuses')
    slicer.stopHashing()
  }

  /** 404 or 410: one answer may be a proxy's or a replica's that lags behind. The second one is believed. */
  async #missing(work: Work, error: TransferError): Promise<void> {
    const { retry, signal } = work
    this.#isSuspect = !this.#isSuspect
    if (this.#isSuspect) return await retry.pause({ error, delayMs: AGAIN_MS, signal })
    const lost = { url: this.url ?? '', acceptedBytes: this.offset }
    await this.#forget(work)
    if ((await work.lost(lost)) === 'fail') throw error
  }

  /** How the server's upload differs from ours. */
  #difference(work: Work, response: TransportResponse, offset: number): string | undefined {
    const size = this.#sizeBytes(work)
    const length = lengthOf(response)
    if (size !== undefined && length !== undefined && length !== size) {
      return `the upload on the server has ${length} bytes, the source ${size}`
    }
    if (offset > (size ?? Infinity))
      return `RemoteAhead: the server has ${offset} bytes, the source only ${size}`
    const there = metadataOf(response) ?? {}
    const key = Object.entries(work.terms.metadata).find(
      ([name, ours]) => (there[name] ?? ours) !== ours,
    )?.[0]
    return key === undefined ? undefined : `the upload on the server has another ${key}`
  }

  async #reject(work: Work, difference: string): Promise<void> {
    if (!this.#isRemembered) {
      throw new TransferError('protocol', difference, { hint: 'This is the upload of another file.' })
    }
    work.warn(`${difference}: a new upload begins`)
    await this.#forget(work)
  }

  async #forget(work: Work): Promise<void> {
    this.url = this.expiresAtMs = undefined
    this.offset = 0
    this.#isInStep = this.#isRemembered = false
    await work.located(this)
    work.changed()
  }
}

/** @throws {TransferError} when the answer does not say where the upload is. */
function createdAt(response: TransportResponse, endpoint: string): string {
  try {
    return locationOf(response, endpoint)
  } catch (error) {
    // Without a status it is final: a server that is not one of tus would be asked for ever.
    const { message, hint } = error as TransferError
    throw response.header('Tus-Resumable') === undefined
      ? new TransferError('protocol', message, { hint })
      : error
  }
}

/** @throws {TypeError} if a key is no visible ASCII, or has a comma. */
export function metadataField(metadata: Readonly<Record<string, string>>): string {
  const encoder = new TextEncoder()
  return formatMetadata(Object.entries(metadata).map(([key, value]) => [key, encoder.encode(value)]))
}
