import { isTransferError } from './errors.ts'
import { fingerprintOf } from './fingerprint.ts'
import { placeOf } from './place.ts'
import type { Ledger, MemoryFeature, Task } from './ports/features.ts'
import type { Source } from './ports/source.ts'
import type { TransportResponse } from './ports/transport.ts'
import type { StoredUpload, UrlStorage } from './ports/url-storage.ts'
import type { Transfer } from './transfer.ts'
import { expiresAtMsOf } from './tus-answers.ts'
import { sleep } from './waiting.ts'

/** How soon the one who waits for another looks again where that one uploads to: a small upload is over in a moment. */
const FIRST_LOOK_MS = 10
/** An expiry that has moved by less is not worth a write to the storage. */
const EXPIRY_STEP_MS = 5 * 60_000

/** `urlStorage`: another run, tab or process goes on with an upload. */
export const rememberedUploads: MemoryFeature = { open: openLedger, place: placeOf }

async function openLedger(task: Task, source: Source, signal: AbortSignal): Promise<Ledger | undefined> {
  const { platform, options } = task
  const { urlStorage: storage = platform.urlStorage, endpoint } = options
  if (!storage || !endpoint) return undefined
  try {
    const fingerprint = await fingerprintOf({ options, source, hashing: platform.hashing, signal })
    return fingerprint === undefined ? undefined : new StorageLedger(task, storage, fingerprint)
  } catch (cause) {
    signal.throwIfAborted()
    // Whatever keeps a file from being read would keep it from being sent.
    if (isTransferError(cause)) throw cause
    task.warn('no fingerprint: the upload is not remembered', cause)
    return undefined
  }
}

class StorageLedger implements Ledger {
  readonly #task: Task
  readonly #storage: UrlStorage
  readonly #fingerprint: string
  readonly #expiries = new Map<Transfer, number>()
  #identity: Pick<StoredUpload, 'key' | 'createdAtMs'>
  /** Writes must not overtake each other. */
  #last: Promise<unknown> = Promise.resolve()
  seenUrl: string | undefined

  constructor(task: Task, storage: UrlStorage, fingerprint: string) {
    this.#task = task
    this.#storage = storage
    this.#fingerprint = fingerprint
    this.#identity = { key: task.platform.newId(), createdAtMs: task.platform.clock.nowMs() }
  }

  async hold(signal: AbortSignal, onWait: () => void): Promise<() => Promise<void>> {
    const looking = new AbortController()
    const waits = (): void => {
      onWait()
      // Ends with the wait, or when the storage does not answer: then nothing was seen.
      this.#look(looking.signal).catch(() => undefined)
    }
    const take = (): unknown => this.#storage.lock?.(this.#fingerprint, { signal, onWait: waits })
    const give = await this.#safely('lock', take, signal).finally(() => looking.abort(0))
    return async () => {
      await this.#last
      if (typeof give === 'function') await this.#safely('lock', () => give())
    }
  }

  async find(): Promise<StoredUpload | undefined> {
    const { source, terms, platform } = this.#task
    const nowMs = platform.clock.nowMs()
    for (const entry of (await this.#safely('find', () => this.#storage.find(this.#fingerprint))) ?? []) {
      if ((entry.expiresAtMs ?? Infinity) <= nowMs) await this.remove(entry.key)
      else if (entry.sizeBytes === source?.sizeBytes && isSame(entry.metadata, terms?.metadata)) return entry
    }
    return undefined
  }

  adopt({ key, createdAtMs }: StoredUpload): void {
    this.#identity = { key, createdAtMs }
  }

  save(): Promise<unknown> {
    const { url, source, terms, transfers, isDivided } = this.#task
    if (!url && !isDivided) return this.remove()
    const expiresAtMs = Math.min(...transfers.map((transfer) => this.#expiries.get(transfer) ?? Infinity))
    const entry = {
      ...this.#identity,
      fingerprint: this.#fingerprint,
      endpoint: terms?.endpoint ?? '',
      url,
      sizeBytes: source?.sizeBytes,
      metadata: terms?.metadata ?? {},
      expiresAtMs: expiresAtMs < Infinity ? expiresAtMs : undefined,
      parts: isDivided
        ? transfers.map(({ part, url }) => ({ ...part, endBytes: part.endBytes ?? 0, url }))
        : undefined,
      path: source?.traits.path,
    }
    return this.#inTurn('put', () => this.#storage.put(entry))
  }

  async heard(transfer: Transfer, response: TransportResponse): Promise<unknown> {
    const expiresAtMs = expiresAtMsOf(response, this.#task.platform.clock.nowMs())
    const knownMs = this.#expiries.get(transfer) ?? 0
    if (!expiresAtMs || Math.abs(expiresAtMs - knownMs) < EXPIRY_STEP_MS) return undefined
    this.#expiries.set(transfer, expiresAtMs)
    // A creation is written down as soon as its URL is known.
    return transfer.url && (await this.save())
  }

  remove(key: string = this.#identity.key): Promise<unknown> {
    return this.#inTurn('remove', () => this.#storage.remove(key))
  }

  async #look(signal: AbortSignal): Promise<void> {
    for (let delayMs = FIRST_LOOK_MS; ; delayMs *= 1.2) {
      const [newest] = await this.#storage.find(this.#fingerprint)
      this.seenUrl = newest?.url ?? this.seenUrl
      await sleep(delayMs, { clock: this.#task.platform.clock, signal })
    }
  }

  #inTurn(what: string, write: () => unknown): Promise<unknown> {
    return (this.#last = this.#last.then(() => this.#safely(what, write)))
  }

  async #safely<T>(what: string, action: () => T, signal?: AbortSignal): Promise<Awaited<T> | undefined> {
    try {
      return await action()
    } catch (cause) {
      signal?.throwIfAborted()
      this.#task.warn(`the storage of upload URLs failed (${what})`, cause)
      return undefined
    }
  }
}

function isSame(a: StoredUpload['metadata'], b: StoredUpload['metadata'] = {}): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}
