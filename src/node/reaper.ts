import type { Engine } from '../core/engine.ts'

const SHORTEST_MS = 1000
const LONGEST_MS = 10 * 60 * 1000

interface ReaperOptions {
  readonly expireAfterMs?: number | undefined
  readonly completeAfterMs?: number | undefined
}

/**
 * Sweeps from time to time, as long as the process lives for other reasons. The shorter uploads live, the more often it
 * looks.
 *
 * @returns A function that stops it and waits for a sweep under way.
 */
export function startReaper(
  engine: Engine,
  { expireAfterMs, completeAfterMs }: ReaperOptions,
  report: (error: unknown) => void,
): () => Promise<void> {
  const shortestLifeMs = Math.min(expireAfterMs ?? Infinity, completeAfterMs ?? Infinity)
  const intervalMs = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, shortestLifeMs / 4))
  const stopping = new AbortController()
  let sweeping: Promise<void> | undefined
  const timer = setInterval(() => {
    sweeping ??= engine
      .sweep({ signal: stopping.signal, completeAfterMs })
      .catch(report)
      .finally(() => (sweeping = undefined))
  }, intervalMs)
  timer.unref()
  return async () => {
    clearInterval(timer)
    stopping.abort()
    await sweeping
  }
}
