type Ask = () => string | Promise<string>

// By the caller's function: a hundred uploads that share it share its answers, and one refresh serves them all.
const known = new WeakMap<Ask, Auth>()

/** The value of `Authorization`: asked for once, and again only when a server has refused it. */
export class Auth {
  readonly #ask: Ask
  #value: Promise<string> | undefined

  constructor(ask: Ask) {
    this.#ask = ask
  }

  static of(ask: Ask): Auth {
    const auth = known.get(ask) ?? new Auth(ask)
    known.set(ask, auth)
    return auth
  }

  /** The value to send. A failure to get one is not remembered. */
  value(): Promise<string> {
    if (this.#value !== undefined) return this.#value
    const asked = Promise.resolve().then(this.#ask)
    this.#value = asked
    asked.catch(() => this.#forget(asked))
    return asked
  }

  /** A value newer than the refused one. Whoever comes while it is asked for, or after, gets the same. */
  async renewed(refused: string): Promise<string> {
    const current = this.#value
    if (current !== undefined && (await current) === refused) this.#forget(current)
    return this.value()
  }

  // Only what was judged: meanwhile another request may have put a new one in its place.
  #forget(value: Promise<string>): void {
    if (this.#value === value) this.#value = undefined
  }
}
