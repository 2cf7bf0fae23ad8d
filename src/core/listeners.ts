import type { Happening } from './ports/hooks.ts'

type Listener = (happening: Happening) => void

/** Who in this process wants to hear what happens. */
export class Listeners {
  readonly #report: (error: unknown) => void
  /** With whether it wants to hear of progress. */
  readonly #listeners = new Map<Listener, boolean>()

  constructor(report: (error: unknown) => void) {
    this.#report = report
  }

  get wantProgress(): boolean {
    for (const wants of this.#listeners.values()) if (wants) return true
    return false
  }

  /** @returns A function that ends it. */
  add(listener: Listener, what: 'all' | 'events'): () => void {
    // A function of its own: the same listener may be added twice.
    const own: Listener = (happening) => listener(happening)
    this.#listeners.set(own, what === 'all')
    return () => void this.#listeners.delete(own)
  }

  tell(happening: Happening): void {
    for (const [listener, wantsProgress] of this.#listeners) {
      if (happening.type === 'progress' && !wantsProgress) continue
      try {
        listener(happening)
      } catch (error) {
        this.#report(error)
      }
    }
  }
}
