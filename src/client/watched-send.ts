import type { Clock } from '../core/ports/clock.ts'
import { TransferError } from './errors.ts'
import type { Transport, TransportRequest, TransportResponse } from './ports/transport.ts'
import type { WatchdogLimits } from './watchdog.ts'
import { Watchdog } from './watchdog.ts'

export interface SendTools {
  readonly transport: Transport
  readonly clock: Clock
  readonly limits: WatchdogLimits
}

/**
 * Sends a request with a watchdog beside it.
 *
 * @throws {TransferError} `stall` or `timeout` from the watchdog, or what the transport throws.
 * @throws `request.signal.reason` when aborted, and what `onData` throws, as it is.
 */
export async function watchedSend(request: TransportRequest, tools: SendTools): Promise<TransportResponse> {
  const { transport, clock, limits } = tools
  const { signal } = request
  signal.throwIfAborted()
  const inner = new AbortController()
  const abort = (): void => inner.abort(signal.reason)
  signal.addEventListener('abort', abort)
  const bytes = request.body?.sizeBytes ?? 0
  const watchdog = new Watchdog({ bytes, isBlind: !transport.reportsSent, clock, ...limits }, (code, ms) => {
    const what = code === 'stall' ? 'no byte moved' : 'no answer'
    inner.abort(new TransferError(code, `${what} for ${Math.round(ms / 1000)} s`))
  })
  const onData: TransportRequest['onData'] = async (chunk, head) => {
    watchdog.hold()
    try {
      await request.onData?.(chunk, head)
    } catch (error) {
      // A transport may take it for a broken line: the reason of the abort says what it was.
      inner.abort(error)
      throw error
    }
    watchdog.received()
  }
  try {
    return await transport.send({
      ...request,
      signal: inner.signal,
      onSent(bytes) {
        watchdog.sent(bytes)
        request.onSent?.(bytes)
      },
      ...(request.onData && { onData }),
    })
  } catch (error) {
    throw inner.signal.aborted ? inner.signal.reason : error
  } finally {
    watchdog.stop()
    signal.removeEventListener('abort', abort)
  }
}
