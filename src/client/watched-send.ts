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

const STALL_MS = 30_000
const RESPONSE_MS = 60_000
// Slower than this a body whose progress cannot be seen is given up: about 128 kbit/s.
const BLIND_BYTES_PER_MS = 16

/**
 * Sends a request, and gives it up when it moves no byte or is not answered: a half-dead line is waited for forever.
 *
 * @throws {TransferError} `stall` or `timeout`, or what the transport throws.
 * @throws `request.signal.reason` when aborted, and what `onData` throws, as it is.
 */
export async function watchedSend(
  request: TransportRequest,
  { transport, clock }: SendTools,
  { stallTimeoutMs = STALL_MS, responseTimeoutMs = RESPONSE_MS }: RequestOptions,
): Promise<TransportResponse> {
  const { body, onData } = request
  const inner = new AbortController()
  const { signal } = inner
  const leave = onAbort(request.signal, () => inner.abort(request.signal.reason))
  const bytes = body?.sizeBytes ?? 0
  let sentBytes = 0
  let isOver = false
  let hold = (): void => undefined
  const watch = (code: 'stall' | 'timeout', limitMs: number): void => {
    hold()
    const what = code === 'stall' ? 'byte moved' : 'answer'
    const give = (): void =>
      inner.abort(new TransferError(code, `no ${what} for ${Math.round(limitMs / 1000)} s`))
    // A consumer may come back from its work when the request is over.
    if (!isOver) hold = after(clock, limitMs, give)
  }
  const blindMs = transport.reportsSent ? 0 : responseTimeoutMs + bytes / BLIND_BYTES_PER_MS
  if (bytes) watch('stall', stallTimeoutMs + blindMs)
  else watch('timeout', responseTimeoutMs)
  try {
    return await transport.send({
      ...request,
      signal,
      onSent(count) {
        request.onSent?.(count)
        // The same number again is no movement.
        if (count <= sentBytes) return
        sentBytes = count
        if (count < bytes) watch('stall', stallTimeoutMs)
        else watch('timeout', responseTimeoutMs)
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
    isOver = true
    hold()
    leave()
  }
}
