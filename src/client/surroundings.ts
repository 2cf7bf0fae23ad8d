import type { Clock } from '../core/ports/clock.ts'

/**
 * The clock of the machine, with timers that keep a process alive: during a wait for the next attempt nothing else
 * does, and a script that awaits its upload must not end in the middle of it.
 */
export const wakefulClock: Clock = {
  nowMs: Date.now,
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}

/** 128 random bits. Unlike `randomUUID()` it is there on insecure pages too. */
export function newId(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join('-')
}
