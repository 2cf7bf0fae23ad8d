import { abortable } from './abortable.ts'
import { TransferError, isTransferError } from './errors.ts'
import type { UploadEvents } from './events.ts'
import type { RetryOptions } from './options.ts'
import type { Platform } from './ports/platform.ts'
import { sleep } from './waiting.ts'

const BUDGET_MS = 15 * 60_000
const BASE_MS = 500
const MAX_MS = 30_000
/** A failure that takes longer than this to come was the machine's sleep: a lid closed for a night is no online time. */
const LONGEST_ATTEMPT_MS = 2 * 60_000

// 501 and 505 are 5xx too, but say that the server will never do it. A 2xx that makes no sense may be a proxy's.
const RETRIED = /^(network|timeout|stall|offline|server (4(08|09|23|25|29|60)|5(?!01|05)\d\d)|protocol 2)/

/** Whether the same request may succeed later. */
export function isRetryable({ code, status, isFinal }: TransferError): boolean {
  return !isFinal && RETRIED.test(`${code} ${status}`)
}

export interface RetryContext extends Pick<Platform, 'clock' | 'connectivity' | 'random'> {
  readonly options: RetryOptions
  readonly signal: AbortSignal
  /** A failure that will be retried. */
  readonly onRetry?: (failure: UploadEvents['error']) => void
  readonly onWait?: ((isWaiting: boolean) => void) | undefined
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
  /** End of the last wait; none before the first failure. */
  #sinceMs = Infinity

  constructor(context: RetryContext) {
    this.#context = context
  }

  /** A byte was accepted: the budget is full again. */
  refill(): void {
    this.#attempt = this.#spentMs = 0
    this.#sinceMs = Infinity
  }

  /** Repeats an operation until it succeeds or the rules end it. */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await operation()
      } catch (error) {
        await this.failed(error)
      }
    }
  }

  /**
   * Waits until the next attempt.
   *
   * @throws The error, when there shall be no further attempt; `signal.reason` when aborted.
   */
  async failed(thrown: unknown): Promise<void> {
    const { options, random, signal, clock, connectivity, onRetry, onWait } = this.#context
    signal.throwIfAborted()
    if (!isTransferError(thrown)) throw thrown
    const { retryBudgetMs = BUDGET_MS, retryBaseMs = BASE_MS, retryMaxMs = MAX_MS, shouldRetry } = options
    const error = this.#isOffline && thrown.code === 'network' ? offline(thrown) : thrown
    this.#spend(LONGEST_ATTEMPT_MS)
    const attempt = ++this.#attempt
    const { retryAfterMs = 0 } = error
    // Full jitter: many clients that lost the same server do not come back at the same moment.
    const jitterMs = random() * Math.min(retryMaxMs, retryBaseMs * 2 ** (attempt - 1))
    const answer = await abortable(shouldRetry?.(error, attempt), signal)
    const leftMs = retryBudgetMs - this.#spentMs
    const hasTime = leftMs > 0 && retryAfterMs <= leftMs
    if (!(answer ?? (error.isFinal === false || (hasTime && isRetryable(error))))) throw error
    const delayMs = typeof answer === 'object' ? answer.delayMs : Math.max(retryAfterMs, jitterMs)
    onRetry?.({ error, attempt, delayMs })
    onWait?.(true)
    const isOffline = this.#isOffline
    this.#sinceMs = clock.nowMs()
    try {
      await sleep(delayMs, { clock, signal, connectivity: isOffline && connectivity })
    } finally {
      onWait?.(false)
      if (!isOffline) this.#spend(delayMs)
      this.#sinceMs = clock.nowMs()
    }
  }

  get #isOffline(): boolean {
    return this.#context.connectivity?.isOnline === false
  }

  /** Counts the time since the last wait. */
  #spend(mostMs: number): void {
    const elapsedMs = this.#context.clock.nowMs() - this.#sinceMs
    if (!this.#isOffline) this.#spentMs += Math.max(0, Math.min(elapsedMs, mostMs))
  }
}

function offline(cause: TransferError): TransferError {
  const { method, url, requestId } = cause
  return new TransferError('offline', 'this machine is offline', { cause, method, url, requestId })
}
