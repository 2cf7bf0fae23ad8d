import type { Clock } from '../core/ports/clock.ts'
import type { StoredUpload, UrlStorage } from './ports/url-storage.ts'
import { sleep } from './waiting.ts'

/** How often the one who waits for another looks where that one uploads to. */
const LOOK_MS = 2000

export interface LedgerOptions {
  readonly storage: UrlStorage
  readonly clock: Clock
  readonly fingerprint: string
  /** For a new entry. */
  readonly key: string
  /** The storage failed. The upload goes on without it. */
  readonly warn: (message: string, cause: unknown) => void
}

/** What changes in an entry. */
export type Entered = Omit<StoredUpload, 'key' | 'fingerprint' | 'createdAtMs'>

/** The entry of one upload in a storage. Never fails: a broken storage must not break an upload. */
export class Ledger {
  readonly #options: LedgerOptions
  #key: string
  #createdAtMs: number
  /** Writes must not overtake each other. */
  #last: Promise<unknown> = Promise.resolve()
  /** Where another process with the same upload was uploading to while this one waited for it. */
  seenUrl: string | undefined

  constructor(options: LedgerOptions) {
    this.#options = options
    this.#key = options.key
    this.#createdAtMs = options.clock.nowMs()
  }

  /**
   * Waits until no other process or tab works on this upload.
   *
   * @returns A function that lets the next one in.
   * @throws `signal.reason` when aborted.
   */
  async hold(signal: AbortSignal, onWait: () => void): Promise<() => Promise<void>> {
    const { storage, fingerprint } = this.#options
    const looking = new AbortController()
    const waits = (): void => {
      onWait()
      void this.#look(looking.signal)
    }
    const take = async (): Promise<(() => Promise<void>) | undefined> =>
      await storage.lock?.(fingerprint, { signal, onWait: waits })
    const give = await this.#safely('lock', take, signal).finally(() => looking.abort())
    return async () => {
      await this.#last
      await this.#safely('lock', async () => give?.())
    }
  }

  /** The newest entry that fits and has not expired. What has expired is removed. */
  async find(fits: (entry: StoredUpload) => boolean): Promise<StoredUpload | undefined> {
    const { storage, fingerprint, clock } = this.#options
    const entries = (await this.#safely('find', () => storage.find(fingerprint))) ?? []
    const isExpired = ({ expiresAtMs = Infinity }: StoredUpload): boolean => expiresAtMs <= clock.nowMs()
    for (const { key } of entries.filter(isExpired)) await this.#inTurn('remove', () => storage.remove(key))
    return entries.find((entry) => !isExpired(entry) && fits(entry))
  }

  /** Goes on with an entry that was found. */
  adopt({ key, createdAtMs }: StoredUpload): void {
    this.#key = key
    this.#createdAtMs = createdAtMs
  }

  put(entered: Entered): Promise<unknown> {
    const { storage, fingerprint } = this.#options
    const entry = { ...entered, key: this.#key, fingerprint, createdAtMs: this.#createdAtMs }
    return this.#inTurn('put', () => storage.put(entry))
  }

  remove(): Promise<unknown> {
    return this.#inTurn('remove', () => this.#options.storage.remove(this.#key))
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { storage, fingerprint, clock } = this.#options
    try {
      for (;;) {
        const [newest] = await storage.find(fingerprint)
        this.seenUrl = newest?.url ?? this.seenUrl
        await sleep(LOOK_MS, { clock, signal })
      }
    } catch {
      // The wait is over, or the storage does not answer: then nothing was seen.
    }
  }

  #inTurn(what: string, write: () => Promise<void>): Promise<unknown> {
    this.#last = this.#last.then(() => this.#safely(what, write))
    return this.#last
  }

  async #safely<T>(what: string, action: () => Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
    try {
      return await action()
    } catch (cause) {
      signal?.throwIfAborted()
      this.#options.warn(`the storage of upload URLs failed (${what})`, cause)
      return undefined
    }
  }
}
