import type { Pace } from './intake.ts'
import type { Leases } from './leases.ts'
import type { MemoryBudget } from './memory-budget.ts'
import type { Catalog, UploadEvent } from './ports/catalog.ts'
import type { Clock } from './ports/clock.ts'
import type { Digests } from './ports/digest.ts'
import type { Happening, Hooks, RequestFacts, UploadEventType } from './ports/hooks.ts'
import type { Store } from './ports/store.ts'
import type { Reservations } from './reservations.ts'
import type { Settler } from './settler.ts'
import type { Ticker } from './ticker.ts'
import type { OwnerBounds, UploadRecord } from './upload.ts'
import type { UploadId } from './upload-id.ts'

/** Bounds that hold for every upload that has none of its own, whatever the dialect. */
export interface Limits {
  /** Largest upload in bytes; `undefined`: no limit. */
  readonly maxSizeBytes: number | undefined
  /** Unfinished uploads expire after this much time without activity; `undefined`: never. */
  readonly expireAfterMs: number | undefined
  /** Most content that one request may bring, in bytes; `undefined`: no limit. */
  readonly maxAppendBytes: number | undefined
  /** What each owner may have at most. */
  readonly ownerBounds: OwnerBounds | undefined
}

/** What the operations share. Made once by `createEngine`. */
export interface Context {
  readonly store: Store
  readonly catalog: Catalog
  readonly clock: Clock
  readonly digests: Digests
  readonly limits: Limits
  readonly pace: Pace
  readonly budget: MemoryBudget
  readonly ticker: Ticker
  readonly leases: Leases
  readonly reservations: Reservations
  readonly settler: Settler
  readonly hooks: Hooks
  readonly progressIntervalMs: number
  /** Lower-case names of request fields that are kept for a finish handler. */
  readonly keepHeaders: readonly string[]
  newId(): UploadId
  /** Events to write together with a change of `record`; none when nobody has asked for that type. */
  events(type: UploadEventType, record: UploadRecord, request?: RequestFacts): readonly UploadEvent[]
  /** Tells listeners in the process. */
  happen(happening: Happening): void
  /** Whether anybody in the process listens. */
  readonly isObserved: boolean
  /** Tells the operator of a failure that no client hears of. */
  report(error: unknown, id?: UploadId): void
}
