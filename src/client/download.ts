import type { CallOptions, CallPlatform } from './calls.ts'
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
const STRONG_TAG = /^".*"$/
const CONTENT_RANGE = /^bytes (\d*).*\/(\d*)\*?$/

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
  const { requester, retry, signal } = toolsOf(platform, target)
  const { sink } = target
  let { startBytes: receivedBytes = 0 } = target
  let etag = strong(target.etag)
  let totalBytes: number | undefined
  const progress = (): DownloadProgress => ({ receivedBytes, totalBytes, etag })

  /** The next attempt begins anew. */
  const change = (): never => {
    etag = undefined
    throw new TransferError('network', 'the content has changed')
  }
  /** Looks at what the answer is part of. Returns how many bytes at its beginning the sink has already. */
  const begin = async (head: ResponseHead): Promise<number> => {
    const isCoded = head.header('Content-Encoding')
    const tag = isCoded ? undefined : strong(head.header('ETag'))
    const isSame = tag && tag === etag
    if (head.status === 206) {
      const [first, size] = rangeOf(head)
      if (first !== receivedBytes) {
        throw new TransferError('protocol', `the server sent byte ${first} instead of ${receivedBytes}`)
      }
      if (tag && !isSame) change()
      totalBytes = size
      return 0
    }
    // A server without ranges sends everything again.
    if (receivedBytes && !isSame) {
      if (!sink.restart) {
        throw new TransferError('protocol', `the download cannot go on at byte ${receivedBytes}`, {
          hint: 'Download it again.',
        })
      }
      await sink.restart()
      receivedBytes = 0
    }
    etag = tag
    totalBytes = isCoded ? undefined : integerOf(head, 'Content-Length')
    return receivedBytes
  }

  /** Asks for what is missing. */
  const attempt = async (): Promise<void> => {
    let skipBytes: number | undefined
    let text = ''
    const goesOn = receivedBytes ? etag : undefined
    const call = {
      method: 'GET',
      url: `${url}`,
      headers: { Range: goesOn && `bytes=${receivedBytes}-`, 'If-Range': goesOn },
      signal,
      async onData(chunk: Uint8Array, head: ResponseHead) {
        if (!isSuccess(head)) {
          text ||= new TextDecoder().decode(chunk)
          return
        }
        // Looked at before its first byte goes to the sink.
        skipBytes ??= await begin(head)
        const fresh = chunk.subarray(skipBytes)
        skipBytes -= chunk.length - fresh.length
        if (!fresh.length) return
        await sink.write(fresh)
        receivedBytes += fresh.length
        retry.refill()
        target.onProgress?.(progress())
      },
    }
    const response = await requester.send(call)
    if (response.status === 416 && goesOn) {
      // The sink has everything already, or more than there is.
      totalBytes = rangeOf(response)[1]
      if (totalBytes !== receivedBytes) change()
    } else if (!isSuccess(response)) throw requester.refusal(call, response, 'cannot download', text)
    // An empty one brings no data.
    else skipBytes ??= await begin(response)
    if (receivedBytes !== (totalBytes ?? receivedBytes))
      throw new TransferError('network', `the answer ended at byte ${receivedBytes}`)
  }

  await retry.run(attempt)
  return progress()
}

function strong(etag: string = ''): string | undefined {
  return STRONG_TAG.exec(etag)?.[0]
}

/** First byte and size of all, as far as they are told. */
function rangeOf(head: ResponseHead): readonly (number | undefined)[] {
  return (CONTENT_RANGE.exec(head.header('Content-Range') ?? '') ?? []).slice(1).map(integer)
}
