import type { Clock } from '../core/ports/clock.ts'
import { onAbort } from './abortable.ts'
import { TransferError } from './errors.ts'
import type { RequestOptions } from './options.ts'
import type { Transport, TransportRequest, TransportResponse } from './ports/transport.ts'
import { after } from './waiting.ts'

export interface SendTools {
  readonly transport: Transport
  readonly clock: Clock
}

// Slower than this a body whose progress cannot be seen is given up: about 128 kbit/s.
const BLIND_BYTES_PER_MS = 16

/**
 * Sends a request, and gives it up when it moves no byte or is not answered: a half-dead line is waited for forever.
 * Whatever the end, the transport's signal is aborted then: nothing of the request goes on.
 *
 * @throws {TransferError} `stall` or `timeout`, or what the transport throws.
 * @throws `request.signal.reason` when aborted, and what `onData` throws, as it is.
 */
export async function watchedSend(
  request: TransportRequest,
  { transport, clock }: SendTools,
  { stallTimeoutMs = 30_000, responseTimeoutMs = 60_000 }: RequestOptions,
): Promise<TransportResponse> {
  const { onData } = request
  const inner = new AbortController()
  const { signal } = inner
  const leave = onAbort(request.signal, () => inner.abort(request.signal.reason))
  const bytes = request.body?.sizeBytes ?? 0
  let sentBytes = 0
  let hold = (): void => {}
  /** Waits anew: for a byte to move, or for the answer. */
  const watch = (code: 'stall' | 'timeout', limitMs: number): void => {
    hold()
    const give = (): void => inner.abort(new TransferError(code, `${code} after ${limitMs} ms`))
    // A consumer may come back from its work when the request is over.
    if (!signal.aborted) hold = after(clock, limitMs, give)
  }
  const blindMs = transport.reportsSent ? 0 : responseTimeoutMs + bytes / BLIND_BYTES_PER_MS
  const watchSending = (): void =>
    sentBytes < bytes ? watch('stall', stallTimeoutMs + blindMs) : watch('timeout', responseTimeoutMs)
  watchSending()
  try {
    return await transport.send({
      ...request,
      signal,
      onSent(count) {
        request.onSent?.(count)
        // The same number again is no movement.
        if (count <= sentBytes) return
        sentBytes = count
        watchSending()
      },
      onData:
        onData &&
        (async (chunk, head) => {
          // The time of whoever works on it is not the line's.
          hold()
          try {
            await onData(chunk, head)
          } catch (error) {
            // A transport may take it for a broken line: the reason of the abort says what it was.
            inner.abort(error)
            throw error
          }
          watch('stall', stallTimeoutMs)
        }),
    })
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    inner.abort()
    hold()
    leave()
  }
}
