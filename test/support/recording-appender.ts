import type { Pace } from '../../src/core/intake.ts'
import type { Appender, Commit } from '../../src/core/ports/store.ts'
import { joined } from './bytes.ts'

/** The pace of a server, as `createEngine` sets it when told nothing. */
export const PACE: Pace = {
  checkpointBytes: 16 * 1024 * 1024,
  checkpointMs: 5000,
  idleFlushMs: 100,
  idleTimeoutMs: 30_000,
  minRateBytesPerSecond: 64,
  minRateWindowMs: 60_000,
  stopGraceMs: 25,
}

/** Keeps what is written, at once, in the next turn or when a test says so. */
export class RecordingAppender implements Appender {
  /** Sizes of the writes, in order. */
  readonly writes: number[] = []
  overlapped = false
  rolledBack = false
  #chunks: Uint8Array[] = []
  readonly #when: 'at once' | 'later' | 'by hand'
  #finish: (() => void) | undefined
  #fail: ((error: unknown) => void) | undefined

  constructor(when: 'at once' | 'later' | 'by hand' = 'at once') {
    this.#when = when
  }

  get content(): Uint8Array {
    return joined(this.#chunks)
  }

  get writing(): boolean {
    return this.#finish !== undefined
  }

  readonly write = (chunks: readonly Uint8Array[]): void | Promise<void> => {
    if (this.writing) this.overlapped = true
    this.writes.push(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
    if (this.#when === 'at once') return this.#keep(chunks)
    return new Promise<void>((resolve, reject) => {
      this.#finish = () => {
        this.#keep(chunks)
        resolve()
      }
      this.#fail = reject
      if (this.#when === 'later') setImmediate(() => this.finishWrite())
    })
  }

  /** Only now: until a write has resolved its chunks must not change, afterwards they may. */
  #keep(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) this.#chunks.push(chunk.slice())
  }

  finishWrite(): void {
    const finish = this.#finish
    this.#finish = undefined
    finish?.()
  }

  failWrite(error: unknown): void {
    this.#finish = undefined
    this.#fail?.(error)
  }

  bound(): Appender {
    return {
      write: this.write,
      commit: () => this.commit(),
      rollback: () => this.rollback(),
      close: () => this.close(),
    }
  }

  commit(): Promise<Commit> {
    return Promise.resolve({ offset: this.content.length, placement: { where: null } })
  }

  rollback(): Promise<void> {
    this.rolledBack = true
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
