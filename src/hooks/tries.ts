import type { Clock } from '../core/ports/clock.ts'
import { bounded, pause } from './bounded.ts'
import { HookError, isHookError } from './ports/hook-error.ts'

/** How a transport over a network repeats a call by itself. */
export interface TryOptions {
  /**
   * Time for one call, all repetitions included.
   *
   * @default 15_000
   */
  readonly timeoutMs?: number | undefined
  /**
   * Repetitions after a failure that passes by itself.
   *
   * @default 3
   */
  readonly retries?: number | undefined
  /**
   * Pause before the first repetition; doubled for each one that follows, and shortened by up to a half at random.
   *
   * @default 1000
   */
  readonly backoffMs?: number | undefined
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined
  /** A number from 0 up to 1. @default Math.random */
  readonly random?: (() => number) | undefined
}

export const DEFAULT_TIMEOUT_MS = 15_000
const DEFAULT_RETRIES = 3
const DEFAULT_BACKOFF_MS = 1000
/** A hook may ask to be left alone for longer than a client would wait. */
const LONGEST_PAUSE_MS = 30_000

/** Options of a transport, checked. */
export interface Tries {
  readonly timeoutMs: number
  readonly retries: number
  readonly backoffMs: number
  readonly clock: Clock
  readonly random: () => number
}

/** @throws {RangeError} for an option that makes no sense. */
export function triesOf(options: TryOptions, systemClock: Clock): Tries {
  const {
    timeoutMs = DEFAULT_TIMEOUT_MS,
    retries = DEFAULT_RETRIES,
    backoffMs = DEFAULT_BACKOFF_MS,
  } = options
  checkTime('timeoutMs', timeoutMs, 1)
  checkTime('backoffMs', backoffMs, 0)
  if (!Number.isSafeInteger(retries) || retries < 0) throw new RangeError('retries must be 0 or more')
  return {
    timeoutMs,
    retries,
    backoffMs,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  }
}

// Timers of Node fire at once for anything longer.
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** @throws {RangeError} for what no timer can wait. */
export function checkTime(name: string, valueMs: number, leastMs: number): void {
  if (!(valueMs >= leastMs && valueMs <= LONGEST_TIMER_MS)) {
    throw new RangeError(`${name} must be from ${leastMs} to ${LONGEST_TIMER_MS} milliseconds`)
  }
}

/** Exponential, with up to a half of it left out at random, so that many who failed together do not come back together. */
export function backoff(attempt: number, baseMs: number, mostMs: number, random: () => number): number {
  const fullMs = Math.min(baseMs * 2 ** (attempt - 1), mostMs)
  return Math.round(fullMs * (1 - random() / 2))
}

/**
 * Calls `attempt`, again while its failures pass by themselves, within one bound of time.
 *
 * @param who - Begins the message of a timeout.
 * @throws {HookError} the last failure; a pause that would outlast the bound is not begun.
 */
export async function withTries<T>(
  tries: Tries,
  { who, signal }: { readonly who: string; readonly signal: AbortSignal },
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, timeoutMs } = tries
  const untilMs = clock.nowMs() + timeoutMs
  let last: unknown
  const late = (): Error =>
    new HookError('timeout', `${who} has not answered within ${timeoutMs} ms`, { retry: 'soon', cause: last })
  return bounded({ clock, timeoutMs, signal, late }, async (inner) => {
    for (let number = 1; ; number += 1) {
      try {
        return await attempt(inner)
      } catch (error) {
        last = error
        const pauseMs = pauseAfter(error, number, tries)
        if (pauseMs === undefined || clock.nowMs() + pauseMs >= untilMs) throw error
        await pause(clock, pauseMs, inner)
      }
    }
  })
}

function pauseAfter(error: unknown, number: number, tries: Tries): number | undefined {
  if (!isHookError(error) || error.retry !== 'soon' || number > tries.retries) return undefined
  const ownMs = backoff(number, tries.backoffMs, LONGEST_PAUSE_MS, tries.random)
  return Math.max(ownMs, Math.min(error.retryAfterMs ?? 0, LONGEST_PAUSE_MS))
}
