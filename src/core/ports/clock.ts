/** Time as core sees it: injected, so that tests move it by hand. */
export interface Clock {
  /** Unix time in milliseconds. */
  nowMs(): number
  /**
   * Runs `callback` once after `delayMs` milliseconds. The timer never keeps a process alive.
   *
   * @returns A function that cancels the timer.
   */
  after(delayMs: number, callback: () => void): () => void
}
