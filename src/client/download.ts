import type { CallOptions, CallPlatform, CallTools } from './calls.ts'
import { toolsOf } from './calls.ts'
import { TransferError } from './errors.ts'
import type { ResponseHead } from './ports/transport.ts'
import { isSuccess } from './tus-answers.ts'
import { integer, integerOf } from './tus-codec.ts'

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
const CONTENT_RANGE = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/

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
  await tools.retry.run(() => running.attempt())
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
    const before = this.#receivedBytes
    let hasBegun = false
    let text = ''
    const goesOn = before > 0 && this.#etag !== undefined
    const call = {
      method: 'GET',
      url: this.#url,
      headers: {
        Range: goesOn ? `bytes=${before}-` : undefined,
        'If-Range': goesOn ? this.#etag : undefined,
      },
      signal,
      onData: async (chunk: Uint8Array, head: ResponseHead) => {
        if (isSuccess(head)) {
          // Looked at before its first byte goes to the sink.
          if (!hasBegun) await this.#begin(head)
          hasBegun = true
          await this.#take(chunk)
        } else if (text.length < ERROR_TEXT_CHARACTERS) text += new TextDecoder().decode(chunk)
      },
    }
    const response = await requester.send(call)
    const { status, url } = response
    if (status === 416 && before > 0) return await this.#beyond(response)
    if (!isSuccess(response)) {
      const refused = { status, url, text, header: (name: string) => response.header(name) }
      throw requester.refusal(call, refused, 'cannot download')
    }
    // An empty one brings no data.
    if (!hasBegun) await this.#begin(response)
    if (this.#receivedBytes === (this.#totalBytes ?? this.#receivedBytes)) return
    throw new TransferError('network', `the answer ended at byte ${this.#receivedBytes}`)
  }

  async #take(chunk: Uint8Array): Promise<void> {
    const fresh = chunk.subarray(this.#skipBytes)
    this.#skipBytes -= chunk.length - fresh.length
    if (!fresh.length) return
    await this.#target.sink.write(fresh)
    this.#receivedBytes += fresh.length
    this.#tools.retry.refill()
    this.#target.onProgress?.(this.progress)
  }

  /** Looks at what the answer is part of. */
  async #begin(head: ResponseHead): Promise<void> {
    const received = this.#receivedBytes
    const isCoded = (head.header('Content-Encoding') ?? 'identity') !== 'identity'
    const etag = isCoded ? undefined : strong(head.header('ETag'))
    this.#skipBytes = 0
    if (head.status === 206) {
      const [first, size] = rangeOf(head)
      if (first !== received) {
        throw new TransferError('protocol', `the server sent byte ${first} instead of ${received}`)
      }
      if (etag && etag !== this.#etag) this.#changed()
      this.#totalBytes = size
      return
    }
    // A server without ranges sends everything again.
    if (etag && etag === this.#etag) this.#skipBytes = received
    else if (received > 0) await this.#restart()
    this.#etag = etag
    this.#totalBytes = isCoded ? undefined : integerOf(head, 'Content-Length')
  }

  /** 416: the sink has everything already, or more than there is. */
  async #beyond(head: ResponseHead): Promise<void> {
    this.#totalBytes = rangeOf(head)[1]
    if (this.#totalBytes === this.#receivedBytes) return
    await this.#restart()
    this.#changed()
  }

  /** The next attempt begins anew. */
  #changed(): never {
    this.#etag = undefined
    throw new TransferError('network', 'the content has changed on the server')
  }

  async #restart(): Promise<void> {
    const { sink } = this.#target
    if (!sink.restart) {
      throw new TransferError('protocol', `the download cannot go on at byte ${this.#receivedBytes}`, {
        hint: 'The content has changed, or has no strong ETag: download it again.',
      })
    }
    await sink.restart()
    this.#receivedBytes = 0
    this.#totalBytes = this.#etag = undefined
  }
}

function strong(etag: string | undefined): string | undefined {
  return etag && STRONG_TAG.test(etag) ? etag : undefined
}

/** First byte and size of all, as far as they are told. */
function rangeOf(head: ResponseHead): readonly (number | undefined)[] {
  return (CONTENT_RANGE.exec(head.header('Content-Range') ?? '') ?? []).slice(1).map(integer)
}
