/** What can be listened to: `process`, or a double of it. */
interface SignalSource {
  on(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown
  off(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown
}

export interface InterruptOptions {
  readonly source: SignalSource
  /** The first signal: come to an end. */
  readonly onStop: () => void
  /** A further one: end at once. */
  readonly onStopNow: () => void
}

/** Ctrl-C, and what a service manager sends: once to stop in order, twice to stop at once. */
export interface Interrupt {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal
  dispose(): void
}

export function watchInterrupt({ source, onStop, onStopNow }: InterruptOptions): Interrupt {
  const controller = new AbortController()
  const interrupt = (): void => {
    if (controller.signal.aborted) return onStopNow()
    // Said first: what hears of the abort may say more.
    onStop()
    controller.abort(new Error('interrupted'))
  }
  source.on('SIGINT', interrupt)
  source.on('SIGTERM', interrupt)
  return {
    signal: controller.signal,
    dispose() {
      source.off('SIGINT', interrupt)
      source.off('SIGTERM', interrupt)
    },
  }
}

/**
 * Ends the process by the signal itself, which a shell shows as 130. Not by `process.exit()`: that waits for threads, and
 * one may be opening a pipe into which nobody writes.
 */
export function endAtOnce(): void {
  process.removeAllListeners('SIGINT')
  process.kill(process.pid, 'SIGINT')
}
