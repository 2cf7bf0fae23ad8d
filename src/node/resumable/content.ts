import { systemClock } from '../../core/system-clock.ts'

/** Nobody takes anything for so long: a handler that has answered already does not want the rest. */
const STALL_MS = 10_000

/** The bytes of an upload, read as a handler takes them. */
export class Content {
  readonly #read: () => AsyncIterable<Uint8Array>
  #iterator: AsyncIterator<Uint8Array> | undefined
  #isOver = false
  #failure: { readonly error: unknown } | undefined
  #onMove: (() => void) | undefined

  /** @param read - Called once, when the first bytes are wanted. */
  constructor(read: () => AsyncIterable<Uint8Array>) {
    this.#read = read
  }

  /** Somebody has begun to take it, and has neither come to the end nor given up. */
  get isBeingRead(): boolean {
    return this.#iterator !== undefined && !this.#isOver
  }

  /** @returns `undefined` at the end. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#isOver) return undefined
    this.#iterator ??= this.#read()[Symbol.asyncIterator]()
    const { done, value } = await this.#iterator.next().catch((error: unknown) => {
      this.#failure = { error }
      this.#over()
      throw error
    })
    if (done === true) {
      this.#over()
      return undefined
    }
    this.#onMove?.()
    return value
  }

  /** @throws what reading has failed with, which a handler may not have noticed. */
  assertRead(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** The rest is not wanted. Gives back what reading holds. */
  async end(): Promise<void> {
    if (this.#isOver) return
    this.#over()
    await this.#iterator?.return?.()
  }

  /** Resolves once the content is over, or nobody has taken any of it for a while. */
  untilOver(stallMs: number = STALL_MS): Promise<void> {
    return new Promise((resolve) => {
      let cancel = (): void => undefined
      const done = (): void => {
        cancel()
        this.#onMove = undefined
        resolve()
      }
      this.#onMove = () => {
        cancel()
        if (this.#isOver) done()
        else cancel = systemClock.after(stallMs, done)
      }
      this.#onMove()
    })
  }

  #over(): void {
    this.#isOver = true
    this.#onMove?.()
  }
}
