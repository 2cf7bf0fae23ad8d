import { TransferError, isTransferError } from './errors.ts'
import type { Checksums, Cut, Task } from './ports/features.ts'
import type { Slice } from './ports/source.ts'
import type { TransportResponse } from './ports/transport.ts'
import type { Call } from './requester.ts'
import type { Retry } from './retry.ts'
import { isGone, isSuccess, lengthOf, locationOf, offsetOf } from './tus-answers.ts'
import { metadataField } from './tus-codec.ts'

/** Sent with the creation at most: until its answer has come nobody knows where these bytes are. */
const CREATION_BYTES = 256 * 1024
const AGAIN_MS = 1000

/** What the transfers of one run share. */
export interface Run {
  readonly signal: AbortSignal
  /** Of creations: outlives `signal` when an upload must be deleted whose URL is not known yet. */
  readonly creationSignal: AbortSignal
  /** Bytes that may still be sent. If there is a limit, one request is sent at a time. */
  readonly room: () => number
  readonly enter: (state: 'preparing' | 'uploading' | 'waiting') => void
}

/** What a transfer needs of its upload. */
export interface TransferTask extends Task {
  readonly cut: Cut
  /** Bytes are on their way, or negative: no longer. */
  readonly moved: (bytes: number) => void
  /** The URL is known now, or the upload is known to be gone. */
  readonly located: (transfer: Transfer) => Promise<unknown>
  /** @returns Whether a new upload begins instead. */
  readonly lost: (lost: LostUpload, signal: AbortSignal) => Promise<boolean>
}

interface LostUpload {
  readonly url: string
  readonly acceptedBytes: number
}

interface Work extends Run {
  readonly retry: Retry
  readonly checksums: Checksums | undefined
}

/** The content of one request. */
interface Outgoing {
  readonly sizeBytes: number
  readonly isLast: boolean
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
  expiresAtMs: number = Infinity
  readonly #task: TransferTask
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
  /** The content of the last request. */
  #outgoing: Outgoing | undefined
  /** Bytes of the last request that had left when it broke off, and how often in a row nothing was left of them. */
  #brokenBytes = 0
  #fruitless = 0

  constructor(task: TransferTask, part: Part, isRemembered: boolean) {
    this.#task = task
    this.part = part
    this.url = part.url
    this.#isRemembered = isRemembered
  }

  /** Works until everything is there, or there is no more room. */
  async run(run: Run): Promise<void> {
    const { platform, retry } = this.#task
    const checksums = platform.features.checksum?.make(this.#task)
    const work: Work = { ...run, retry: retry(run), checksums }
    run.enter('uploading')
    while (!this.isDone) {
      try {
        run.signal.throwIfAborted()
        if (!this.url) await this.#create(work)
        else if (!this.#isInStep) await this.#synchronise(work, this.url)
        else if (run.room() > 0) await this.#append(work, this.url)
        else return
      } catch (error) {
        this.#isInStep = false
        const failure = await this.#judge(work, error)
        if (failure) await work.retry.failed(failure)
      }
    }
  }

  /** Something is wrong with what was believed to be there: the next run asks the server again. */
  doubt(): void {
    this.isDone = this.#isInStep = false
  }

  /** `NaN` while it is not known. */
  get #sizeBytes(): number {
    return (this.part.endBytes ?? this.#task.source.sizeBytes ?? NaN) - this.part.startBytes
  }

  /**
   * tus 1.0 §Creation, with the first bytes where the server takes them.
   *
   * An answer that gets lost leaves an upload behind that nobody knows of; the protocol has no way to find it again.
   * That is why only little is sent along, and nothing of a part.
   */
  async #create(work: Work): Promise<void> {
    const { creationSignal: signal } = work
    const { terms, isDivided, options } = this.#task
    const { endpoint: url } = terms
    const sends = terms.sendsWithCreation && this.#sendsWithCreation && !isDivided
    const first = sends ? await this.#next(work, Math.min(CREATION_BYTES, work.room()), signal) : undefined
    const sizeBytes = first?.sizeBytes ?? 0
    const body = sizeBytes ? first : undefined
    const defers = terms.defersLength && !isDivided && !first?.isLast
    const headers = {
      'Upload-Length': !defers && this.#sizeBytes,
      'Upload-Defer-Length': defers && 1,
      'Upload-Metadata': !isDivided && metadataField(terms.metadata),
      'Upload-Concat': (isDivided || options.partial) && 'partial',
    } as const
    // A line that breaks this early may do so again.
    this.#sendsWithCreation = !body
    const response = await this.#send(work, { method: 'POST', url, headers, signal }, body)
    this.url = locationOf(response, url)
    this.#isRemembered = false
    this.#isLengthDeclared = !defers
    const offset = sizeBytes && (offsetOf(response) ?? Infinity)
    // Without a sound offset HEAD must tell how much of the content was taken.
    this.#isInStep = offset <= sizeBytes
    await this.#task.located(this)
    work.signal.throwIfAborted()
    if (this.#isInStep) this.#accept(work, offset)
  }

  /** tus 1.0 §HEAD: where the server is, and whether this is the same upload at all. */
  async #synchronise(work: Work, url: string): Promise<void> {
    const { source, terms, warn } = this.#task
    await source.verify()
    const response = await this.#send(work, { method: 'HEAD', url, signal: work.signal })
    const offset = offsetOf(response) ?? 0
    this.#isSuspect = false
    const difference = this.#difference(response, offset)
    if (difference) {
      if (!this.#isRemembered) throw new TransferError('protocol', difference)
      warn(`${difference}: a new upload begins`)
      return await this.#forget()
    }
    if (offset <= this.#doubtedOffset) {
      throw new TransferError('protocol', `the server stays at byte ${offset}`)
    }
    this.#doubtedOffset = -1
    // Smaller requests, when nothing remains of one that breaks off, and again.
    this.#fruitless = offset <= this.offset && this.#brokenBytes ? this.#fruitless + 1 : 0
    if (this.#fruitless > 1) terms.chunks.ease?.(this.#brokenBytes)
    this.#brokenBytes = 0
    this.#isLengthDeclared = !response.header('Upload-Defer-Length') || lengthOf(response) !== undefined
    this.#isInStep = true
    this.#accept(work, offset)
  }

  /** tus 1.0 §PATCH */
  async #append(work: Work, url: string): Promise<void> {
    const { signal } = work
    const { terms, requester } = this.#task
    const before = this.offset
    const body = await this.#next(work, work.room(), signal)
    const after = before + body.sizeBytes
    const declares = !this.#isLengthDeclared && body.isLast
    const headers = {
      'Upload-Offset': before,
      'Upload-Length': declares && after,
      'Upload-Checksum': body.checksum,
    }
    const beganMs = requester.clock.nowMs()
    const response = await this.#send(work, { method: 'PATCH', url, headers, signal }, body)
    const offset = offsetOf(response) ?? 0
    // A server that does not advance would be asked for ever; HEAD tells whether it is only the answer that is wrong.
    if (offset !== after && (offset <= before || offset > after)) {
      this.#doubtedOffset = before
      this.#isInStep = false
      return
    }
    this.#isLengthDeclared ||= declares
    this.#fruitless = 0
    this.#accept(work, offset)
    terms.chunks.took?.(body.sizeBytes, requester.clock.nowMs() - beganMs)
  }

  async #next({ checksums }: Work, maxBytes: number, signal: AbortSignal): Promise<Outgoing> {
    const { source, terms, cut } = this.#task
    const start = this.part.startBytes + this.offset
    const left = (this.part.endBytes ?? Infinity) - start
    const { limitBytes } = terms.chunks
    const most = checksums?.aheadBytes(start) ?? limitBytes
    const slice = await cut(
      source,
      start,
      Math.min(left, maxBytes, most, source.maxSliceBytes ?? Infinity),
      signal,
    )
    const { sizeBytes, isLast } = slice
    let sent = 0
    return {
      sizeBytes,
      isLast,
      checksum: await checksums?.of(slice, Math.min(limitBytes, left - sizeBytes), signal),
      body: async () => (sent++ ? await cut(source, start, sizeBytes, signal) : slice),
    }
  }

  /**
   * Sends a request; after an abort its answer is of no interest, except for a creation's.
   *
   * @returns A 2xx, with an offset unless it is a creation's.
   */
  async #send({ signal }: Work, request: Call, outgoing?: Outgoing): Promise<TransportResponse> {
    const { requester, ledger, moved } = this.#task
    this.#outgoing = outgoing
    let sentBytes = 0
    const onSent = (bytes: number): void => {
      if (!signal.aborted) moved(bytes - sentBytes)
      sentBytes = bytes
    }
    const call = { ...request, onSent, body: outgoing?.body }
    let response: TransportResponse
    try {
      response = await requester.send(call)
      // Some transports do not tell.
      if (outgoing && isSuccess(response)) onSent(outgoing.sizeBytes)
    } catch (error) {
      this.#brokenBytes ||= sentBytes
      throw error
    } finally {
      onSent(0)
    }
    if (!isSuccess(response) || (this.url && offsetOf(response) === undefined))
      throw requester.refusal(call, response, 'cannot upload')
    await ledger?.heard(this, response)
    return response
  }

  #accept({ retry }: Work, offset: number): void {
    const { source, moved } = this.#task
    if (offset > this.#highestOffset) {
      this.#highestOffset = offset
      retry.refill()
    }
    this.offset = offset
    source.release(this.part.startBytes + offset)
    this.isDone = this.#isLengthDeclared && offset === this.#sizeBytes
    moved(0)
  }

  /** What a failure comes to; `undefined`: to nothing, the next step follows at once. */
  async #judge({ checksums, signal }: Work, error: unknown): Promise<unknown> {
    const { url } = this
    const { terms, lost } = this.#task
    const outgoing = this.#outgoing
    if (!isTransferError(error)) return error
    if (error.status === 413 && outgoing) {
      const isSmaller = terms.chunks.shrink(outgoing.sizeBytes)
      // If it is the upload that is too large, and not this request, a creation without content says so at once.
      if (isSmaller || !url) return undefined
    }
    const failure = checksums && outgoing?.checksum ? checksums.refused(error) : error
    if (!failure || !url || !isGone(error)) return failure
    // One answer may be a proxy's or a replica's that lags behind. The second one is believed.
    this.#isSuspect = !this.#isSuspect
    if (this.#isSuspect) return againAfter(error)
    const acceptedBytes = this.offset
    await this.#forget()
    return (await lost({ url, acceptedBytes }, signal)) ? undefined : error
  }

  /** How the server's upload differs from ours. */
  #difference(response: TransportResponse, offset: number): string | undefined {
    const size = this.#sizeBytes
    const length = lengthOf(response) ?? size
    if (length - size) return `the upload has ${length} bytes, the source ${size}`
    if (offset > size) return `RemoteAhead: the upload has ${offset} bytes, the source ${size}`
    return this.#task.terms.difference?.(response)
  }

  async #forget(): Promise<void> {
    this.url = undefined
    this.offset = 0
    this.#isInStep = this.#isRemembered = false
    await this.#task.located(this)
  }
}

/** A refusal that may be a passing one, whatever its status. */
export function againAfter(error: TransferError): TransferError {
  return Object.assign(error, { isFinal: false, retryAfterMs: AGAIN_MS })
}
