import { isTransferError } from './errors.ts'
import { fingerprintOf } from './fingerprint.ts'
import { placeOf } from './place.ts'
import type { Ledger, MemoryFeature, Task } from './ports/features.ts'
import type { StoredPart, StoredUpload, UrlStorage } from './ports/url-storage.ts'
import { expiresAtMsOf } from './tus-answers.ts'
import { sleep } from './waiting.ts'

/** How soon the one who waits for another looks again where that one uploads to: a small upload is over in a moment. */
const FIRST_LOOK_MS = 10
/** An expiry that has moved by less is not worth a write to the storage. */
const EXPIRY_STEP_MS = 5 * 60_000

/** `urlStorage`: another run, tab or process goes on with an upload. */
export const rememberedUploads: MemoryFeature = {
  place: placeOf,
  async open(task, signal) {
    const { platform, options, source } = task
    const { urlStorage: storage = platform.urlStorage, endpoint } = options
    if (!storage || !endpoint) return undefined
    try {
      const fingerprint = await fingerprintOf({ options, source, hashing: platform.hashing, signal })
      return fingerprint ? ledgerOf(task, storage, fingerprint) : undefined
    } catch (cause) {
      signal.throwIfAborted()
      // Whatever keeps a file from being read would keep it from being sent.
      if (isTransferError(cause)) throw cause
      task.warn('the upload is not remembered', cause)
      return undefined
    }
  },
}

function ledgerOf(task: Task, storage: UrlStorage, fingerprint: string): Ledger {
  const { platform } = task
  const { clock } = platform
  let key = platform.newId()
  let createdAtMs = clock.nowMs()
  let seenUrl: string | undefined
  /** Writes must not overtake each other. */
  let last: Promise<unknown> = Promise.resolve()

  const safely = async <T>(
    what: string,
    action: () => T,
    signal?: AbortSignal,
  ): Promise<Awaited<T> | undefined> => {
    try {
      return await action()
    } catch (cause) {
      signal?.throwIfAborted()
      task.warn(`urlStorage.${what}() failed`, cause)
      return undefined
    }
  }
  const inTurn = (what: string, write: () => unknown): Promise<unknown> =>
    (last = last.then(() => safely(what, write)))
  const remove = (which = key): Promise<unknown> => inTurn('remove', () => storage.remove(which))
  const find = async (): Promise<StoredUpload | undefined> => {
    const { source, terms } = task
    for (const entry of (await safely('find', () => storage.find(fingerprint))) ?? []) {
      if (Number(entry.expiresAtMs) <= clock.nowMs()) await remove(entry.key)
      else if (entry.sizeBytes === source.sizeBytes && isSame(entry.metadata, terms.metadata)) return entry
    }
    return undefined
  }
  const look = async (signal: AbortSignal): Promise<void> => {
    for (let delayMs = FIRST_LOOK_MS; ; delayMs *= 1.2) {
      const [newest] = await storage.find(fingerprint)
      seenUrl = newest?.url ?? seenUrl
      await sleep(delayMs, { clock, signal })
    }
  }
  const save = (): Promise<unknown> => {
    if (!task.url && !task.isDivided) return remove()
    const entry = { key, createdAtMs, fingerprint, ...standOf(task) }
    return inTurn('put', () => storage.put(entry))
  }
  return {
    get seenUrl() {
      return seenUrl
    },
    async hold(signal, onWait) {
      const looking = new AbortController()
      const wait = (): void => {
        onWait()
        // Ends with the wait, or when the storage does not answer: then nothing was seen.
        look(looking.signal).catch(() => {})
      }
      const take = (): unknown => storage.lock?.(fingerprint, { signal, onWait: wait })
      const give = await safely('lock', take, signal).finally(() => looking.abort(0))
      return async () => {
        await last
        if (typeof give === 'function') await safely('lock', () => give())
      }
    },
    async find(previous) {
      const entry = previous ?? (await find())
      if (entry && 'key' in entry) ({ key, createdAtMs } = entry)
      return entry
    },
    save,
    async heard(transfer, response) {
      const expiresAtMs = expiresAtMsOf(response, clock.nowMs())
      if (!expiresAtMs || Math.abs(expiresAtMs - transfer.expiresAtMs) < EXPIRY_STEP_MS) return undefined
      transfer.expiresAtMs = expiresAtMs
      // A creation is written down as soon as its URL is known.
      return transfer.url && (await save())
    },
    remove: () => remove(),
  }
}

/** Where an upload stands, as it is written down. */
function standOf({
  url,
  source,
  terms,
  transfers,
  isDivided,
}: Task): Omit<StoredUpload, 'key' | 'createdAtMs' | 'fingerprint'> {
  const expiresAtMs = Math.min(...transfers.map((transfer) => transfer.expiresAtMs))
  return {
    endpoint: terms.endpoint,
    url,
    sizeBytes: source.sizeBytes,
    metadata: terms.metadata,
    expiresAtMs: expiresAtMs < Infinity ? expiresAtMs : undefined,
    // Those of a plan have ends.
    parts: isDivided ? transfers.map(({ part, url }) => ({ ...part, url }) as StoredPart) : undefined,
    path: source.traits.path,
  }
}

function isSame(a: StoredUpload['metadata'], b: StoredUpload['metadata']): boolean {
  // Keys have no comma.
  const [one, other] = [a, b].map((metadata) => JSON.stringify(Object.entries(metadata).map(String).sort()))
  return one === other
}
