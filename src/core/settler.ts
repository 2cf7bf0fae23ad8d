import type { DoChores } from './settler-lane.ts'
import { SettlerLane } from './settler-lane.ts'
import type { Leases } from './leases.ts'
import type { Catalog } from './ports/catalog.ts'
import type { Clock } from './ports/clock.ts'
import type { UploadRecord } from './upload.ts'
import type { UploadId } from './upload-id.ts'

const PAGE = 256
/** Copying more than this takes long enough to be noticed by those who wait behind it. */
const LARGE_BYTES = 8 * 1024 * 1024
/** Applications' handlers that are called at once where nobody waits for them. */
const HANDLERS = 16
const RETRY_MS = 5000
const LONGEST_RETRY_MS = 10 * 60 * 1000

interface Parts {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly leases: Leases
  readonly report: (error: unknown) => void
}

/**
 * Sees to what is left after an answer: final places of small uploads in batches, flattening, freeing what was
 * terminated, assembling finals. Each chore stands in the record, so a restart finds it again.
 *
 * Large copies and applications' handlers have lanes of their own: small uploads become files within a second, whatever
 * else goes on.
 */
export class Settler {
  readonly #catalog: Catalog
  readonly #quick: SettlerLane
  readonly #large: SettlerLane
  readonly #handled: SettlerLane

  constructor(parts: Parts) {
    this.#catalog = parts.catalog
    this.#quick = new SettlerLane(parts, PAGE)
    this.#large = new SettlerLane(parts, 1)
    this.#handled = new SettlerLane(parts, HANDLERS)
  }

  /** The operations need the settler and the settler needs them: they are handed in once both exist. */
  start(doChores: DoChores): void {
    this.#quick.start(doChores)
    this.#large.start(doChores)
    this.#handled.start(doChores)
  }

  /** Takes up an upload whose record says that something is left to do. */
  add(record: UploadRecord): void {
    this.#laneOf(record).add(record.id)
  }

  /** Takes an upload up again after a while: what it needs is not there yet. */
  addLater(record: UploadRecord): void {
    this.#laneOf(record).addLater(record.id, retryDelayMs(record))
  }

  /** Takes up everything that an earlier run, here or in another process, has left behind. */
  async recover(): Promise<void> {
    let after: UploadId | undefined
    for (;;) {
      const page = await this.#catalog.list({ withChore: true, after, limit: PAGE })
      for (const record of page) this.#laneOf(record).add(record.id, 0)
      if (page.length < PAGE) return
      after = page.at(-1)?.id
    }
  }

  /** Does one more batch of what is quick. What takes long is not waited for: the next start begins it anew. */
  async close(): Promise<void> {
    this.#large.abandon()
    this.#handled.abandon()
    await this.#quick.close()
  }

  #laneOf({ status, chore, offset, placement, handling }: UploadRecord): SettlerLane {
    if (status === 'finishing' && handling !== undefined) return this.#handled
    const isCopy = status === 'complete' && chore === 'settle' && placement.inline === undefined
    return isCopy && offset > LARGE_BYTES ? this.#large : this.#quick
  }
}

/** A handler that fails again and again is asked less and less often. */
function retryDelayMs({ handling }: UploadRecord): number {
  const tries = Math.min(10, (handling?.attempts ?? 1) - 1)
  return Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** Math.max(0, tries))
}
