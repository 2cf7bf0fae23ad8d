import type { Engine } from '../../core/engine.ts'

/** What every form of a resumable handler has beside its being called. */
export interface ResumableForm {
  /** The engine below: listings, happenings. */
  readonly engine: Engine
  /**
   * Refuses new uploads, stores what running ones have brought, closes everything. Plain requests are still served.
   *
   * @param waitMs - How long running requests and handlers get, in milliseconds. @default 10000
   */
  close(waitMs?: number): Promise<void>
}
