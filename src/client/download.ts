import { parseDecimal } from '../protocol/integer.ts'
import type { CallOptions, CallPlatform, CallTools } from './calls.ts'
import { toolsOf } from './calls.ts'
import { TransferError } from './errors.ts'
import { shownUrl } from './exchange-log.ts'
import type { ResponseHead } from './ports/transport.ts'
import { isSuccess } from './refusal.ts'
import type { Call } from './requester.ts'

/** Where a download goes. */
export interface DownloadSink {
  /** The next bytes, in order. A promise holds the download back. The chunk is valid until then. */
  write(chunk: Uint8Array): void | Promise<void>
  /** What was written is void: the download begins anew from byte 0. Without it such a download fails. */
  restart?(): void | Promise<void>
}

export interface DownloadProgress {
  readonly receivedBytes: number
  readonly totalBytes: number | undefined
  /** Keep it with the bytes: with it another run can go on. `undefined` when the server gives no strong one. */
  readonly etag: string | undefined
}

export interface DownloadOptions extends CallOptions {
  /** Bytes the sink has from an earlier run. They count only together with `etag`. @default 0 */
  readonly startBytes?: number | undefined
  /** Strong entity tag of those bytes, with its quotes. */
  readonly etag?: string | undefined
  onProgress?(progress: DownloadProgress): void
}

// RFC 9110 §8.8.3: a weak tag allows other bytes under the same tag.
const STRONG_TAG = /^"[^"]*"$/
const ERROR_TEXT_CHARACTERS = 1000
const CONTENT_RANGE = /^bytes (?:(?<first>\d+)-\d+|\*)\/(?<size>\d+|\*)$/

/**
 * Downloads a complete upload, and goes on after a broken line where it was.
 *
 * Bytes of two versions are never mixed: it goes on only under the same strong entity tag, else from byte 0.
 *
 * @throws {TransferError} as uploads do; `protocol` when it had to begin anew and the sink cannot.
 * @throws What the sink throws, as it is.
 */
export async function download(
  platform: CallPlatform,
  url: string | URL,
  target: { readonly sink: DownloadSink } & DownloadOptions,
): Promise<DownloadProgress> {
  const tools = toolsOf(platform, target)
  const running = new Download(tools, String(url), target)
  await tools.retry.run(() => running.attempt(), tools.signal)
  return running.progress
}

class Download {
  readonly #tools: CallTools
  readonly #url: string
  readonly #target: { readonly sink: DownloadSink } & DownloadOptions
  #receivedBytes: number
  #totalBytes: number | undefined
  #etag: string | undefined
  /** Bytes at the beginning of this answer that the sink has already. */
  #skipBytes = 0
  #hasBegun = false
  #errorText = ''

  constructor(tools: CallTools, url: string, target: { readonly sink: DownloadSink } & DownloadOptions) {
    this.#tools = tools
    this.#url = url
    this.#target = target
    this.#receivedBytes = target.startBytes ?? 0
    this.#etag = strong(target.etag)
  }

  get progress(): DownloadProgress {
    return { receivedBytes: this.#receivedBytes, totalBytes: this.#totalBytes, etag: this.#etag }
  }

  /** Asks for what is missing. */
  async attempt(): Promise<void> {
    const { requester, signal } = this.#tools
    this.#hasBegun = false
    this.#errorText = ''
    const call: Call = {
      method: 'GET',
      url: this.#url,
      headers: this.#conditions(),
      signal,
      onData: (chunk, head) => this.#take(chunk, head),
    }
    const response = await requester.send(call)
    if (response.status === 416 && this.#receivedBytes > 0) return await this.#beyond(response)
    if (!isSuccess(response.status)) {
      const { status, url } = response
      const refused = { status, url, text: this.#errorText, header: (name: string) => response.header(name) }
      throw requester.refusal(call, refused, 'cannot download')
    }
    // An empty one brings no data.
    if (!this.#hasBegun) await this.#begin(response)
    if (this.#receivedBytes === (this.#totalBytes ?? this.#receivedBytes)) return
    throw new TransferError('network', `the answer ended at byte ${this.#receivedBytes}`)
  }

  #conditions(): Readonly<Record<string, string>> {
    if (this.#etag === undefined || this.#receivedBytes === 0) return {}
    return { Range: `bytes=${this.#receivedBytes}-`, 'If-Range': this.#etag }
  }

  async #take(chunk: Uint8Array, head: ResponseHead): Promise<void> {
    if (!isSuccess(head.status)) {
      if (this.#errorText.length < ERROR_TEXT_CHARACTERS) this.#errorText += new TextDecoder().decode(chunk)
      return
    }
    if (!this.#hasBegun) await this.#begin(head)
    const fresh = chunk.subarray(this.#skipBytes)
    this.#skipBytes -= chunk.length - fresh.length
    if (fresh.length === 0) return
    await this.#target.sink.write(fresh)
    this.#receivedBytes += fresh.length
    this.#tools.retry.refill()
    this.#target.onProgress?.(this.progress)
  }

  /** Looks at what the answer is part of, before its first byte goes to the sink. */
  async #begin(head: ResponseHead): Promise<void> {
    this.#hasBegun = true
    this.#skipBytes = 0
    const isCoded = (head.header('Content-Encoding') ?? 'identity') !== 'identity'
    const etag = isCoded ? undefined : strong(head.header('ETag'))
    if (head.status === 206) return this.#goOn(head, etag)
    if (this.#receivedBytes > 0) {
      // A server without ranges sends everything again.
      if (etag !== undefined && etag === this.#etag) this.#skipBytes = this.#receivedBytes
      else await this.#restart()
    }
    this.#etag = etag
    this.#totalBytes = isCoded ? undefined : integer(head.header('Content-Length'))
  }

  #goOn(head: ResponseHead, etag: string | undefined): void {
    const { first, size } = rangeOf(head)
    if (first !== this.#receivedBytes) {
      throw new TransferError('protocol', `the server sent byte ${first} instead of ${this.#receivedBytes}`)
    }
    if (etag !== undefined && etag !== this.#etag) {
      this.#etag = undefined
      throw new TransferError('network', 'the content has changed on the server')
    }
    this.#totalBytes = size
  }

  /** 416: the sink has everything already, or more than there is. */
  async #beyond(head: ResponseHead): Promise<void> {
    this.#totalBytes = rangeOf(head).size
    if (this.#totalBytes === this.#receivedBytes) return
    await this.#restart()
    throw new TransferError('network', 'the content has changed on the server')
  }

  async #restart(): Promise<void> {
    const { sink } = this.#target
    if (sink.restart === undefined) {
      throw new TransferError('protocol', `the download cannot go on at byte ${this.#receivedBytes}`, {
        url: shownUrl(this.#url),
        hint: 'The server gives no strong ETag, or the content has changed: download it again.',
      })
    }
    await sink.restart()
    this.#receivedBytes = 0
    this.#totalBytes = undefined
    this.#etag = undefined
  }
}

function strong(etag: string | undefined): string | undefined {
  return etag !== undefined && STRONG_TAG.test(etag) ? etag : undefined
}

function rangeOf(head: ResponseHead): {
  readonly first: number | undefined
  readonly size: number | undefined
} {
  const groups = CONTENT_RANGE.exec(head.header('Content-Range') ?? '')?.groups
  return { first: integer(groups?.['first']), size: integer(groups?.['size']) }
}

function integer(text: string | undefined): number | undefined {
  const parsed = parseDecimal(text ?? '')
  return parsed.ok ? parsed.value : undefined
}
