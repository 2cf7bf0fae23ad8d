import type { Clock } from '../core/ports/clock.ts'
import { abortable } from './abortable.ts'
import { TransferError, isTransferError } from './errors.ts'
import type { RetryAnswer, RetryOptions } from './options.ts'
import type { Connectivity } from './ports/platform.ts'
import { sleep } from './waiting.ts'

const BUDGET_MS = 15 * 60_000
const BASE_MS = 500
const MAX_MS = 30_000
/** A failure that takes longer than this to come was the machine's sleep: a lid closed for a night is no online time. */
const LONGEST_ATTEMPT_MS = 2 * 60_000

// 501 and 505 are 5xx too, but say that the server will never do it.
const RETRIED_STATUS = /^(408|409|423|425|429|460|5(?!01|05)\d\d)$/
const RETRIED_CODES = new Set(['network', 'timeout', 'stall', 'offline'])

/** Whether the same request may succeed later. A 2xx that makes no sense may be a proxy's, so it is retried too. */
export function isRetryable({ code, status }: TransferError): boolean {
  if (RETRIED_CODES.has(code)) return true
  if (code === 'protocol') return status !== undefined && status < 300
  return code === 'server' && RETRIED_STATUS.test(String(status))
}

export interface RetryContext {
  readonly clock: Clock
  readonly connectivity: Connectivity | undefined
  readonly random: () => number
  readonly options: RetryOptions
  /** A failure that will be retried. */
  readonly onRetry: (failure: {
    readonly error: TransferError
    readonly attempt: number
    readonly delayMs: number
  }) => void
  readonly onWait: (isWaiting: boolean) => void
}

/**
 * Decides about failures and waits between attempts.
 *
 * The budget is the online time since the first failure after the last accepted byte. Time spent offline costs
 * nothing; then attempts go on at the usual pace, because what a platform says about being online is often wrong.
 */
export class Retry {
  readonly #context: RetryContext
  #attempt = 0
  #spentMs = 0
  /** End of the last wait; `undefined` before the first failure. */
  #sinceMs: number | undefined

  constructor(context: RetryContext) {
    this.#context = context
  }

  /** A byte was accepted: the budget is full again. */
  refill(): void {
    this.#attempt = 0
    this.#spentMs = 0
    this.#sinceMs = undefined
  }

  /** Repeats an operation until it succeeds or the rules end it. */
  async run<T>(operation: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await operation()
      } catch (error) {
        await this.failed(error, signal)
      }
    }
  }

  /**
   * Waits until the next attempt.
   *
   * @throws The error, when there shall be no further attempt; `signal.reason` when aborted.
   */
  async failed(error: unknown, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!isTransferError(error)) throw error
    const { clock, options, random } = this.#context
    const { retryBudgetMs = BUDGET_MS, retryBaseMs = BASE_MS, retryMaxMs = MAX_MS } = options
    const failure = this.#isOffline && error.code === 'network' ? offline(error) : error
    if (this.#sinceMs !== undefined) this.#spend(clock.nowMs() - this.#sinceMs, LONGEST_ATTEMPT_MS)
    this.#sinceMs = clock.nowMs()
    const attempt = ++this.#attempt
    const floorMs = failure.retryAfterMs ?? 0
    // Full jitter: many clients that lost the same server do not come back at the same moment.
    const jitterMs = random() * Math.min(retryMaxMs, retryBaseMs * 2 ** (attempt - 1))
    const answer = await this.#ask(failure, attempt, signal)
    const leftMs = retryBudgetMs - this.#spentMs
    if (answer === false) throw failure
    if (answer === undefined && (!isRetryable(failure) || leftMs <= 0 || floorMs > leftMs)) throw failure
    const delayMs = typeof answer === 'object' ? answer.delayMs : Math.max(floorMs, jitterMs)
    await this.pause({ error: failure, attempt, delayMs, signal })
  }

  /** Waits as after a failure, without asking whether to go on. */
  async pause(wait: {
    readonly error: TransferError
    readonly attempt?: number
    readonly delayMs: number
    readonly signal: AbortSignal
  }): Promise<void> {
    const { clock, connectivity, onRetry, onWait } = this.#context
    const { error, attempt = this.#attempt, delayMs, signal } = wait
    onRetry({ error, attempt, delayMs })
    onWait(true)
    const isOffline = this.#isOffline
    const beganMs = clock.nowMs()
    try {
      await sleep(delayMs, { clock, signal, connectivity: isOffline ? connectivity : undefined })
    } finally {
      onWait(false)
      if (!isOffline) this.#spend(clock.nowMs() - beganMs, delayMs)
      this.#sinceMs = clock.nowMs()
    }
  }

  get #isOffline(): boolean {
    return this.#context.connectivity?.isOnline === false
  }

  #spend(elapsedMs: number, mostMs: number): void {
    if (!this.#isOffline) this.#spentMs += Math.min(elapsedMs, mostMs)
  }

  async #ask(error: TransferError, attempt: number, signal: AbortSignal): Promise<RetryAnswer> {
    const { shouldRetry } = this.#context.options
    const ask = async (): Promise<RetryAnswer> => shouldRetry?.(error, attempt)
    return await abortable(ask(), signal)
  }
}

function offline(cause: TransferError): TransferError {
  const { method, url, requestId } = cause
  const hint = 'Goes on when the connection is back.'
  return new TransferError('offline', 'this machine is offline', { cause, hint, method, url, requestId })
}
