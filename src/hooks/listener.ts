import type { Clock } from '../core/ports/clock.ts'
import { systemClock } from '../core/system-clock.ts'
import { bounded } from './bounded.ts'
import { HookError, isHookError } from './ports/hook-error.ts'
import { isDecision } from './hook-types.ts'
import { ACCEPTED, parseHookResponse } from './response.ts'
import type { HookCall, HookResponse, HookTransport } from './ports/transport.ts'
import { checkTime, DEFAULT_TIMEOUT_MS } from './tries.ts'

/** A function that is called as hooks elsewhere are. What it throws is a failure: a queued event comes again. */
export type HookListener = (
  call: HookCall,
  signal: AbortSignal,
) => HookResponse | void | Promise<HookResponse | void>

export interface ListenerOptions {
  /**
   * Time for one call. Then the signal aborts and the call has failed, whatever the function does.
   *
   * @default 15_000
   */
  readonly timeoutMs?: number | undefined
  /** @default 'listener' */
  readonly name?: string | undefined
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined
}

/**
 * A function of this process as a hook. Through a queue it gets every event at least once, in order per upload, also
 * after a crash.
 *
 * @throws {RangeError} for a time that makes no sense.
 */
export function listenerTransport(listener: HookListener, options: ListenerOptions = {}): HookTransport {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, name = 'listener', clock = systemClock } = options
  checkTime('timeoutMs', timeoutMs, 1)
  return {
    name,
    async invoke(call, signal) {
      const who = `The listener ${name} for ${call.type}`
      const late = (): Error =>
        new HookError('timeout', `${who} has not come back within ${timeoutMs} ms`, { retry: 'soon' })
      const bound = { clock, timeoutMs, signal, late }
      const answer: unknown = await bounded(bound, (inner) => asked(who, () => listener(call, inner)))
      if (!isDecision(call.type)) return ACCEPTED
      const response = parseHookResponse(answer)
      if (response.ok) return response.value
      throw new HookError('bad-answer', `The answer of ${who} is wrong: ${response.reason}`, {
        retry: 'later',
      })
    },
  }
}

async function asked(who: string, call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (cause) {
    if (isHookError(cause)) throw cause
    throw new HookError('refused', `${who} failed`, { retry: 'soon', cause })
  }
}
