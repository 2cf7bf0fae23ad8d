import type { Slice } from '../ports/source.ts'
import type { Transport } from '../ports/transport.ts'
import { wholeOf } from '../slice-bytes.ts'
import { chunksOf } from '../slice-chunks.ts'
import { fetchTransport as plainTransport } from './fetch.ts'
import type { FetchTransportOptions } from './fetch.ts'

/** What is larger is streamed: it goes out without a length, which some servers refuse. */
const GATHERED_BYTES = 16 * 1024 * 1024

/**
 * A transport over `fetch`, for runtimes whose own is better than their `node:http`.
 *
 * It cannot tell how much of a body has been sent. Redirects of other methods than GET, HEAD and OPTIONS are answers.
 * Slices of more than 16 MiB that are neither Blob nor bytes are streamed.
 */
export function fetchTransport(options: FetchTransportOptions = {}): Transport {
  /** Why a stream failed: `fetch` hides it. */
  const failures = new WeakMap<ReadableStream, unknown>()
  const fetchStream: typeof fetch = async (url, init) => {
    try {
      return await (options.fetch ?? fetch)(url, { ...init, duplex: 'half' } as RequestInit)
    } catch (error) {
      throw init?.body instanceof ReadableStream ? (failures.get(init.body) ?? error) : error
    }
  }
  return plainTransport({ ...options, fetch: fetchStream }, async (slice, signal) => {
    const { content } = slice
    const isLarge = content.kind === 'chunks' && slice.sizeBytes > GATHERED_BYTES
    return isLarge ? streamed(slice, signal, failures) : await wholeOf(slice, signal)
  })
}

function streamed(
  slice: Slice,
  signal: AbortSignal,
  failures: WeakMap<ReadableStream, unknown>,
): ReadableStream<Uint8Array> {
  const chunks = chunksOf(slice, signal)
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await chunks.next()
        // A copy: nobody tells when a queued chunk has left, and the source may use its memory again.
        if (next.done !== true) controller.enqueue(new Uint8Array(next.value))
        else controller.close()
      } catch (error) {
        failures.set(stream, error)
        throw error
      }
    },
    async cancel() {
      await chunks.return()
    },
  })
  return stream
}
