import type { ErrorCode } from '../../core/errors.ts'
import type { SqlValue } from './driver.ts'

/** `[queue, upload id, type, at, payload]` */
export type EventValues = readonly [string, string, string, number, string]

/** `[owner, bytes, uploads, most bytes, most uploads]`: what an insert adds to what its owner has, and its bounds. */
export type BoundValues = readonly [string, number, number, number | null, number | null]

/** `[id, epoch, offset, status]`: what a record must still look like. */
export type GuardValues = readonly [string, number, number, string]

/**
 * One change, as it travels to the thread that writes. Flat tuples of plain values: nested objects are what
 * makes a message between threads dear.
 */
export type Operation =
  | readonly ['insert', readonly SqlValue[], Uint8Array | null, readonly EventValues[], BoundValues | null]
  | readonly [
      'update',
      GuardValues,
      columns: string,
      values: readonly SqlValue[],
      Uint8Array | null,
      readonly EventValues[],
    ]
  | readonly ['forget', GuardValues]
  | readonly ['acquire', id: string]
  | readonly ['release', id: string]
  | readonly ['want', id: string]
  | QueueOperation
  | MembershipOperation

/** What can be done with queues; entries are named by sequence and attempts. */
export type QueueOperation =
  | readonly ['take', queue: string, limit: number, nowMs: number, dueAtMs: number]
  | readonly ['extend', sequence: number, attempts: number, dueAtMs: number]
  | readonly ['done', sequence: number, attempts: number]
  | readonly [
      'give-back',
      sequence: number,
      attempts: number,
      dueAtMs: number,
      state: 'later' | 'dead',
      error: string | null,
    ]
  | readonly ['replay', sequences: readonly number[]]
  | readonly ['claims']

/** Changes of who takes part; what they mean is told in `membership.ts`. */
type MembershipOperation =
  | readonly ['register', writer: string, identity: string, dead: readonly string[]]
  | readonly ['share', ids: readonly string[]]
  | readonly ['alone']
  | readonly ['beat']
  | readonly ['expel', writer: string, beat: number]
  | readonly ['bury', writers: readonly string[]]

/** Operations issued together by one writer. Those that need it fail when the writer has been expelled. */
export interface Batch {
  readonly writer: string
  readonly operations: readonly Operation[]
}

/**
 * What came of an operation: whether it changed something; for `acquire` the row as it is now,
 * `null` (no such upload) or the name of the writer that holds it; for an `insert` past the bounds of its owner the
 * error's code; for `take` the rows that were taken; for `replay` and
 * `claims` how many entries were written.
 */
export type Outcome = boolean | number | string | object | null

export interface Failure {
  readonly code: ErrorCode
  readonly reason: string
}

/** Outcomes in the order of the operations; an operation in `failures` has none. */
export interface Reply {
  readonly outcomes: readonly Outcome[]
  readonly failures: ReadonlyMap<number, Failure>
  /** The database can no longer keep its promise. Nothing of this group may be counted on. */
  readonly fatal: string | undefined
}
