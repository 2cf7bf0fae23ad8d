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

// By the status, where there is one, else the code. 501 and 505 are 5xx too, but say that the server will never do it.
// A 2xx that makes no sense may be a proxy's.
const RETRIED = /network|timeout|stall|offline|^2|4(0[89]|2[359]|60)|5(?!0[15])../

/** Whether the same request may succeed later. */
export function isRetryable({ code, status, isFinal }: TransferError): boolean {
  return !isFinal && RETRIED.test(`${status ?? code}`)
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
    const { retryBudgetMs = BUDGET_MS, retryBaseMs = BASE_MS, retryMaxMs = MAX_MS, shouldRetry } = options
    signal.throwIfAborted()
    if (!isTransferError(thrown)) throw thrown
    const isOffline = connectivity?.isOnline === false
    const error =
      isOffline && thrown.code === 'network'
        ? new TransferError('offline', 'offline', Object.assign({}, thrown, { cause: thrown }))
        : thrown
    const elapsedMs = Math.min(clock.nowMs() - this.#sinceMs, LONGEST_ATTEMPT_MS)
    if (!isOffline) this.#spentMs += Math.max(0, elapsedMs)
    // Full jitter: many clients that lost the same server do not come back at the same moment.
    const jitterMs = random() * Math.min(retryMaxMs, retryBaseMs * 2 ** this.#attempt)
    const attempt = ++this.#attempt
    const { retryAfterMs = 0 } = error
    const answer = await abortable(shouldRetry?.(error, attempt), signal)
    const hasTime = retryAfterMs < retryBudgetMs - this.#spentMs
    if (!(answer ?? (error.isFinal === false || (hasTime && isRetryable(error))))) throw error
    const delayMs = typeof answer === 'object' ? answer.delayMs : Math.max(retryAfterMs, jitterMs)
    if (!isOffline) this.#spentMs += delayMs
    onRetry?.({ error, attempt, delayMs })
    onWait?.(true)
    await sleep(delayMs, { clock, signal, connectivity: isOffline && connectivity })
    onWait?.(false)
    this.#sinceMs = clock.nowMs()
  }
}
