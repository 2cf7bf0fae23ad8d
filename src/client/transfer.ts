import { TransferError } from './errors.ts'
import type { Checksums, Cut, Task } from './ports/features.ts'
import type { Slice, Source } from './ports/source.ts'
import type { TransportResponse } from './ports/transport.ts'
import type { Call } from './requester.ts'
import type { Retry } from './retry.ts'
import type { Terms } from './terms.ts'
import { isGone, isSuccess, lengthOf, locationOf, offsetOf } from './tus-answers.ts'
import { metadataField } from './tus-codec.ts'

/** Sent with the creation at most: until its answer has come nobody knows where these bytes are. */
const CREATION_BYTES = 256 * 1024
const AGAIN_MS = 1000
const OFFSET_STREAM = 'application/offset+octet-stream'

/** What the transfers of one run share. */
export interface Run {
  readonly signal: AbortSignal
  /** Of creations: outlives `signal` when an upload must be deleted whose URL is not known yet. */
  readonly creationSignal: AbortSignal
  /** Bytes that may still be sent. */
  readonly room: () => number
  /** Somebody drives the upload step by step, and wants one request at a time. */
  readonly isStepwise: boolean
  readonly enter: (state: 'preparing' | 'uploading' | 'waiting') => void
}

/** What a transfer needs of its upload. */
export interface TransferTask extends Task {
  readonly source: Source
  readonly terms: Terms
  readonly cut: Cut
  /** Bytes are on their way, or negative: no longer. */
  moved(bytes: number): void
  /** The URL is known now, or the upload is known to be gone. */
  located(transfer: Transfer): Promise<unknown>
  lost(lost: LostUpload, signal: AbortSignal): Promise<'restart' | 'fail'>
}

export interface LostUpload {
  readonly url: string
  readonly acceptedBytes: number
}

interface Work extends Run {
  readonly task: TransferTask
  readonly retry: Retry
  readonly checksums: Checksums | undefined
}

/** The content of one request. */
interface Outgoing {
  readonly slice: Slice
  readonly checksum: string | undefined
  /** A fresh slice for each attempt to send it. */
  readonly body: () => Promise<Slice>
}

export interface Part {
  readonly startBytes: number
  /** `undefined`: where the source ends. */
  readonly endBytes?: number | undefined
  readonly url?: string | undefined
}

/**
 * Brings one range of a source to one upload resource: creates it, asks for its offset, appends.
 *
 * It keeps its place over runs. One step at a time, and each step starts from what the server said last: after every
 * failure HEAD comes before the next PATCH, after a success never.
 */
export class Transfer {
  readonly part: Part
  url: string | undefined
  /** Bytes the server has confirmed. */
  offset = 0
  isDone = false
  /** The URL was remembered: if it is another upload's, a new one is made instead. */
  #isRemembered: boolean
  #highestOffset = 0
  /** Whether `offset` is the server's, as far as anybody can know. */
  #isInStep = false
  #isLengthDeclared = true
  #sendsWithCreation = true
  #isSuspect = false
  /** An answer to PATCH made no sense at this offset. */
  #doubtedOffset = -1
  /** Bytes of the last request that had left when it broke off, and how often in a row nothing was left of them. */
  #brokenBytes = 0
  #fruitless = 0

  constructor(part: Part, isRemembered: boolean) {
    this.part = part
    this.url = part.url
    this.#isRemembered = isRemembered
  }

  /** Works until everything is there, or there is no more room. */
  async run(task: TransferTask, run: Run): Promise<void> {
    const checksums = task.terms.checksum && task.platform.features.checksum?.make(task)
    const work: Work = { ...run, task, retry: task.retry(run), checksums }
    run.enter('uploading')
    while (!this.isDone) {
      try {
        work.signal.throwIfAborted()
        if (!this.url) await this.#create(work)
        else if (!this.#isInStep) await this.#synchronise(work, this.url)
        else if (work.room() > 0) await this.#append(work, this.url)
        else return
      } catch (error) {
        this.#isInStep = false
        await work.retry.failed(error)
      }
    }
  }

  /** Something is wrong with what was believed to be there: the next run asks the server again. */
  doubt(): void {
    this.isDone = this.#isInStep = false
  }

  /** `NaN` while it is not known. */
  #sizeBytes({ task }: Work): number {
    return (this.part.endBytes ?? task.source.sizeBytes ?? NaN) - this.part.startBytes
  }

  /**
   * tus 1.0 §Creation, with the first bytes where the server takes them.
   *
   * An answer that gets lost leaves an upload behind that nobody knows of; the protocol has no way to find it again.
   * That is why only little is sent along, and nothing of a part.
   */
  async #create(work: Work): Promise<void> {
    const { task, creationSignal: signal } = work
    const { endpoint: url, metadata, defersLength, sendsWithCreation } = task.terms
    const { isDivided } = task
    const room = Math.min(CREATION_BYTES, work.room())
    const sends =
      sendsWithCreation && this.#sendsWithCreation && !isDivided && this.#sizeBytes(work) !== 0 && room > 0
    const first = sends ? await this.#next(work, room, signal) : undefined
    const body = first?.slice.sizeBytes ? first : undefined
    const defers = defersLength && !isDivided && !first?.slice.isLast
    const headers = {
      'Upload-Length': defers ? undefined : this.#sizeBytes(work),
      'Upload-Defer-Length': defers ? 1 : undefined,
      'Upload-Metadata': isDivided ? undefined : metadataField(metadata),
      'Upload-Concat': isDivided || task.options.partial ? 'partial' : undefined,
    }
    // A line that breaks this early may do so again.
    this.#sendsWithCreation = !body
    const response = await this.#send(work, { method: 'POST', url, headers, signal }, body)
    if (!response) return
    this.#sendsWithCreation = true
    this.url = locationOf(response, url)
    this.#isRemembered = false
    this.#isLengthDeclared = !defers
    const offset = body ? offsetOf(response) : 0
    // Without a sound offset HEAD must tell how much of the content was taken.
    this.#isInStep = offset !== undefined && offset <= (body?.slice.sizeBytes ?? 0)
    await task.located(this)
    work.signal.throwIfAborted()
    if (this.#isInStep) this.#accept(work, offset ?? 0)
  }

  /** tus 1.0 §HEAD: where the server is, and whether this is the same upload at all. */
  async #synchronise(work: Work, url: string): Promise<void> {
    await work.task.source.verify()
    const response = await this.#send(work, { method: 'HEAD', url, signal: work.signal })
    if (!response) return
    const offset = offsetOf(response) ?? 0
    this.#isSuspect = false
    const difference = this.#difference(work, response, offset)
    if (difference && !this.#isRemembered) {
      throw new TransferError('protocol', difference, { hint: 'Is it the upload of another file?' })
    }
    if (difference) {
      work.task.warn(`${difference}: a new upload begins`)
      return await this.#forget(work)
    }
    if (offset <= this.#doubtedOffset) {
      throw new TransferError('protocol', `the offset of the server does not advance from ${offset}`)
    }
    this.#doubtedOffset = -1
    this.#weigh(work, offset)
    this.#isLengthDeclared = !response.header('Upload-Defer-Length') || lengthOf(response) !== undefined
    this.#isInStep = true
    this.#accept(work, offset)
  }

  /** Smaller requests, when nothing remains of one that breaks off, and again. */
  #weigh({ task }: Work, offset: number): void {
    const isFruitless = offset <= this.offset && this.#brokenBytes > 0
    this.#fruitless = isFruitless ? this.#fruitless + 1 : 0
    if (this.#fruitless > 1) task.terms.chunks.ease?.(this.#brokenBytes)
    this.#brokenBytes = 0
  }

  /** tus 1.0 §PATCH */
  async #append(work: Work, url: string): Promise<void> {
    const { signal, task } = work
    const { clock } = task.platform
    const before = this.offset
    const body = await this.#next(work, work.room(), signal)
    const { sizeBytes, isLast } = body.slice
    const after = before + sizeBytes
    const declares = !this.#isLengthDeclared && isLast
    const headers = {
      'Upload-Offset': before,
      'Upload-Length': declares ? after : undefined,
      'Upload-Checksum': body.checksum,
    }
    const beganMs = clock.nowMs()
    const response = await this.#send(work, { method: 'PATCH', url, headers, signal }, body)
    if (!response) return
    const offset = offsetOf(response) ?? 0
    // A server that does not advance would be asked for ever; HEAD tells whether it is only the answer that is wrong.
    if (offset > after || (offset <= before && !(isLast && !sizeBytes))) {
      this.#doubtedOffset = before
      this.#isInStep = false
      return
    }
    this.#isLengthDeclared ||= declares
    this.#fruitless = 0
    this.#accept(work, offset)
    task.terms.chunks.took?.(sizeBytes, clock.nowMs() - beganMs)
  }

  async #next({ task, checksums }: Work, maxBytes: number, signal: AbortSignal): Promise<Outgoing> {
    const { source, terms } = task
    const start = this.part.startBytes + this.offset
    const left = (this.part.endBytes ?? Infinity) - start
    const { limitBytes } = terms.chunks
    const most = Math.min(
      left,
      maxBytes,
      checksums?.aheadBytes(start) ?? limitBytes,
      source.maxSliceBytes ?? Infinity,
    )
    const slice = await task.cut(source, { start, maxBytes: most, signal })
    const { sizeBytes } = slice
    let fresh: Slice | undefined = slice
    return {
      slice,
      checksum: await checksums?.of(slice, Math.min(limitBytes, left - sizeBytes), signal),
      body: async () => {
        const once = fresh ?? (await task.cut(source, { start, maxBytes: sizeBytes, signal }))
        fresh = undefined
        return once
      },
    }
  }

  /**
   * Sends a request; after an abort its answer is of no interest, except for a creation's.
   *
   * @returns A 2xx, with an offset unless it is a creation's; `undefined` when the next step shall follow at once.
   */
  async #send(work: Work, request: Call, outgoing?: Outgoing): Promise<TransportResponse | undefined> {
    const { task } = work
    let sentBytes = 0
    const onSent = (bytes: number): void => {
      if (!work.signal.aborted) task.moved(bytes - sentBytes)
      sentBytes = bytes
    }
    const headers = { ...request.headers, 'Content-Type': outgoing && OFFSET_STREAM }
    const call = { ...request, headers, onSent, body: outgoing?.body }
    let response: TransportResponse
    try {
      response = await task.requester.send(call)
      call.signal.throwIfAborted()
      // Some transports do not tell.
      if (outgoing && isSuccess(response)) onSent(outgoing.slice.sizeBytes)
    } catch (error) {
      if (outgoing) this.#brokenBytes = sentBytes
      throw error
    } finally {
      onSent(0)
    }
    if (!isSuccess(response)) return await this.#refused(work, { call, response, outgoing })
    if (call.method !== 'POST' && offsetOf(response) === undefined) {
      throw task.requester.refusal(call, response, 'there is no Upload-Offset')
    }
    await task.ledger?.heard(this, response)
    return response
  }

  #accept(work: Work, offset: number): void {
    if (offset > this.#highestOffset) {
      this.#highestOffset = offset
      work.retry.refill()
    }
    this.offset = offset
    work.task.source.release(this.part.startBytes + offset)
    this.isDone = this.#isLengthDeclared && offset === this.#sizeBytes(work)
    work.task.moved(0)
  }

  /** Decides about an answer that is no 2xx. Returns when the next step shall follow at once. */
  async #refused(
    work: Work,
    answer: {
      readonly call: Call
      readonly response: TransportResponse
      readonly outgoing: Outgoing | undefined
    },
  ): Promise<undefined> {
    const { call, response, outgoing } = answer
    const { task, checksums } = work
    const isCreation = call.method === 'POST'
    this.#isInStep = false
    if (response.status === 413 && outgoing) {
      const isSmaller = task.terms.chunks.shrink(outgoing.slice.sizeBytes)
      // If it is the upload that is too large, and not this request, a creation without content says so at once.
      if (isSmaller || isCreation) return
    }
    const error = task.requester.refusal(
      call,
      response,
      isCreation ? 'cannot create the upload' : 'cannot upload',
    )
    const failure = checksums && outgoing?.checksum ? checksums.refused(error) : error
    if (!failure) return
    if (isCreation || !isGone(response)) throw failure
    // One answer may be a proxy's or a replica's that lags behind. The second one is believed.
    this.#isSuspect = !this.#isSuspect
    if (this.#isSuspect) throw againAfter(error)
    const lost = { url: call.url, acceptedBytes: this.offset }
    await this.#forget(work)
    if ((await task.lost(lost, work.signal)) === 'fail') throw error
  }

  /** How the server's upload differs from ours. */
  #difference(work: Work, response: TransportResponse, offset: number): string | undefined {
    const size = this.#sizeBytes(work)
    const length = lengthOf(response) ?? size
    if (size >= 0 && length !== size) return `the server has an upload of ${length} bytes, the source ${size}`
    if (offset > size) return `RemoteAhead: the server has ${offset} bytes, the source only ${size}`
    return work.task.terms.difference?.(response)
  }

  async #forget({ task }: Work): Promise<void> {
    this.url = undefined
    this.offset = 0
    this.#isInStep = this.#isRemembered = false
    await task.located(this)
    task.moved(0)
  }
}

/** A refusal that may be a passing one, whatever its status. */
export function againAfter(error: TransferError): TransferError {
  return Object.assign(error, { isFinal: false, retryAfterMs: AGAIN_MS })
}
