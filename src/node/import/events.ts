/** What became of one upload of the old directory. */
export type ImportEvent = Imported | Skipped | Failed

/** Taken over, or in a dry run about to be. */
interface Imported {
  readonly kind: 'imported'
  /** Its id. */
  readonly name: string
  /** Bytes that are here. */
  readonly offset: number
  readonly length: number | undefined
  readonly isComplete: boolean
  /** `link`: the old file has a second name. `nothing`: it has no bytes yet. */
  readonly how: 'link' | 'copy' | 'nothing'
}

/** Left alone, and nothing is wrong about that. */
export interface Skipped {
  readonly kind: 'skipped'
  readonly name: string
  /** `there`: taken over before. `gone`: the old server has no data of it. `complete`: only others are wanted. */
  readonly why: 'there' | 'gone' | 'complete'
  /** For people; to follow the name. */
  readonly reason: string
}

/** Not taken over, or not to the end; everything else goes on. */
export interface Failed {
  readonly kind: 'failed'
  /** Its id, or what stands in the place of one. Comes from a file name: sanitise it before it reaches a terminal. */
  readonly name: string
  readonly reason: string
  readonly cause: unknown
}

export function skipped(name: string, why: Skipped['why'], reason: string): Skipped {
  return { kind: 'skipped', name, why, reason }
}

export function failed(name: string, reason: string, cause?: unknown): Failed {
  return { kind: 'failed', name, reason, cause }
}
