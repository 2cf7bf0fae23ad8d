import { UploadError } from '../../core/errors.ts'
import type { Operation, Outcome, Reply } from './operations.ts'
import type { WriterThread } from './writer-thread.ts'

interface Waiting {
  readonly writer: string
  resolve(outcome: Outcome): void
  reject(error: unknown): void
}

/**
 * Sends operations to the thread that writes and hands the outcomes back.
 *
 * Operations issued in the same turn of the event loop travel in one message; replies come in the same order.
 */
export class CommitQueue {
  #thread: WriterThread | undefined
  #batch: Operation[] = []
  #batchWriter = ''
  #waiting: Waiting[] = []
  #failed: UploadError | undefined
  readonly #onLost: (writer: string) => void
  readonly #fatalListeners: ((error: unknown) => void)[] = []

  constructor(onLost: (writer: string) => void) {
    this.#onLost = onLost
  }

  attach(thread: WriterThread): void {
    this.#thread = thread
  }

  onFatal(listener: (error: unknown) => void): void {
    this.#fatalListeners.push(listener)
  }

  /** Whether nothing will ever be taken again: failed or closed. */
  get refuses(): boolean {
    return this.#failed !== undefined
  }

  submit(writer: string, operation: Operation): Promise<Outcome> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed)
    if (writer !== this.#batchWriter) this.#flush()
    if (this.#batch.length === 0) {
      this.#batchWriter = writer
      // After this turn's I/O: what other requests of the same turn ask for is in the same message.
      setImmediate(() => this.#flush())
    }
    this.#batch.push(operation)
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ writer, resolve, reject }) === 1) this.#thread?.hold(true)
    })
  }

  /** Takes what the thread has done. */
  reply(reply: Reply): void {
    if (reply.fatal !== undefined) {
      this.fail(reply.fatal)
      return
    }
    const done = this.#waiting.splice(0, reply.outcomes.length)
    if (this.#waiting.length === 0) this.#thread?.hold(false)
    for (const [index, waiting] of done.entries()) {
      const failure = reply.failures.get(index)
      if (failure === undefined) {
        waiting.resolve(reply.outcomes[index] ?? null)
        continue
      }
      if (failure.code === 'ERR_LEASE_LOST') this.#onLost(waiting.writer)
      waiting.reject(new UploadError(failure.code, {}, { cause: new Error(failure.reason) }))
    }
  }

  /** Nothing that waits may be counted on, and nothing more is taken. */
  fail(reason: string): void {
    if (this.#failed !== undefined) return
    this.#refuse(reason)
    for (const listener of this.#fatalListeners) listener(this.#failed)
  }

  /** Finishes what waits and refuses the rest. */
  async close(): Promise<void> {
    this.#flush()
    const thread = this.#thread
    this.#thread = undefined
    await thread?.close()
    this.#refuse('The catalog is closed.')
  }

  #refuse(reason: string): void {
    this.#failed ??= new UploadError('ERR_STORE_UNAVAILABLE', {}, { cause: new Error(reason) })
    this.#batch = []
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failed)
  }

  #flush(): void {
    if (this.#batch.length === 0) return
    const operations = this.#batch
    this.#batch = []
    this.#thread?.post({ writer: this.#batchWriter, operations })
  }
}
