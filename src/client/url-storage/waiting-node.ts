import type { Clock } from '../../core/ports/clock.ts'
import type { LockOptions } from '../ports/url-storage.ts'

export interface Waiting {
  readonly clock: Clock
  readonly pollMs: number
  readonly signal?: AbortSignal | undefined
  /** Called once, when the first attempt was in vain. */
  readonly onWait?: (() => void) | undefined
}

/** What the caller of `lock` has asked for. */
export function waitingOf(options: LockOptions): Pick<Waiting, 'signal' | 'onWait'> {
  return { signal: options.signal, onWait: () => options.onWait?.() }
}

/** Tries until there is a result. The process stays alive meanwhile. */
export async function keepTrying<T>(
  attempt: () => T | undefined | Promise<T | undefined>,
  { clock, pollMs, signal, onWait }: Waiting,
): Promise<T> {
  let isWaiting = false
  for (;;) {
    signal?.throwIfAborted()
    const result = await attempt()
    if (result !== undefined) return result
    if (!isWaiting) onWait?.()
    isWaiting = true
    await pause(clock, pollMs, signal)
  }
}

const LONG_MS = 2 ** 30

function pause(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  // The clock's timers let the process end, and nothing else may be going on in it.
  const awake = setInterval(() => undefined, LONG_MS)
  return new Promise<void>((resolve) => {
    const end = (): void => {
      cancel()
      signal?.removeEventListener('abort', end)
      clearInterval(awake)
      resolve()
    }
    const cancel = clock.after(delayMs, end)
    signal?.addEventListener('abort', end)
    if (signal?.aborted === true) end()
  })
}

/** How often the holder of a right shows that it lives. */
const BEAT_MS = 10_000
/** Without a beat for as long, the holder of a right that cannot be looked at counts as gone. */
export const SILENT_MS: number = 6 * BEAT_MS

/** Counts looks at which nothing had changed: no clock of anybody is compared, and a machine asleep counts nothing. */
export class Silence {
  readonly #looks: number
  readonly #seen = new Map<string, { readonly beat: string; count: number }>()

  constructor(silentMs: number, pollMs: number) {
    this.#looks = Math.ceil(silentMs / pollMs)
  }

  /** One look at what carries this name. */
  hasLasted(name: string, beat: string): boolean {
    const before = this.#seen.get(name)
    if (before?.beat !== beat) this.#seen.set(name, { beat, count: 0 })
    else before.count += 1
    return before?.beat === beat && before.count >= this.#looks
  }
}

/** Calls `beat` again and again until the returned function is called. */
export function beating(clock: Clock, beat: () => void): () => void {
  let cancel = (): void => undefined
  const next = (): void => {
    cancel = clock.after(BEAT_MS, () => {
      beat()
      next()
    })
  }
  next()
  return () => cancel()
}
