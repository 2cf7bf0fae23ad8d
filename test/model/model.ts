import type { UploadRecord } from '../../src/core/upload.ts'
import type { UploadId } from '../../src/core/upload-id.ts'
import type { PushBody } from '../support/push-body.ts'
import { EXPIRE_AFTER_MS } from './system.ts'

const PARTIAL_EXPIRES_AFTER_MS = 7 * EXPIRE_AFTER_MS

/** A request that is under way and has stopped sending. */
export interface Hanging {
  readonly body: PushBody
  readonly code: Promise<string>
  /** Where what was pushed ends. */
  at: number
}

/** What a client knows of one upload. */
export class Known {
  readonly id: UploadId
  /** Everything that the client has for this upload. */
  readonly content: Uint8Array
  readonly isPartial: boolean
  readonly parts: readonly Known[] | undefined
  length: number | undefined
  /** The largest offset that an answer has told. Must never be less from then on. */
  acknowledged: number
  /** The end of what was sent; the server may have it all. */
  sent: number
  isGone = false
  hanging: Hanging | undefined
  #rank = 0
  #touched: { atLeastMs: number; atMostMs: number }

  constructor(record: UploadRecord, content: Uint8Array, nowMs: number, parts?: readonly Known[]) {
    this.id = record.id
    this.content = content
    this.isPartial = record.concat?.kind === 'partial'
    this.parts = parts
    this.length = parts === undefined ? record.length : content.length
    this.acknowledged = record.offset
    this.sent = Math.max(record.offset, parts === undefined ? 0 : content.length)
    this.#touched = { atLeastMs: nowMs, atMostMs: nowMs }
  }

  get isFinal(): boolean {
    return this.parts !== undefined
  }

  /** All bytes are acknowledged: in tus that is what complete means. */
  get isComplete(): boolean {
    return !this.isGone && this.acknowledged === this.length
  }

  /** Something was certainly, or perhaps, recorded for a receiving upload. */
  touch(nowMs: number, isCertain: boolean): void {
    if (isCertain) this.#touched.atLeastMs = nowMs
    this.#touched.atMostMs = nowMs
  }

  /** Whether the upload may, or must, have expired by now. */
  expiry(nowMs: number): 'no' | 'perhaps' | 'yes' {
    if (this.isComplete && !this.isPartial) return 'no'
    if (this.isFinal) return nowMs - this.#touched.atLeastMs >= EXPIRE_AFTER_MS ? 'perhaps' : 'no'
    const limitMs = this.isComplete ? PARTIAL_EXPIRES_AFTER_MS : EXPIRE_AFTER_MS
    if (nowMs - this.#touched.atMostMs >= limitMs) return 'yes'
    return nowMs - this.#touched.atLeastMs >= limitMs ? 'perhaps' : 'no'
  }

  /** Whether a final may have failed, because a part of it did not live to see it. */
  get mayHaveFailed(): boolean {
    return this.parts?.some((part) => part.isGone) === true
  }

  /** Holds an observation against everything known; throws where they contradict. */
  observe(record: UploadRecord): void {
    const rank = RANKS.findIndex((status) => status === record.status)
    check(rank >= this.#rank, `went from ${RANKS[this.#rank] ?? '?'} back to ${record.status}`)
    this.#rank = rank
    check(record.offset >= this.acknowledged, `offset ${record.offset} after ${this.acknowledged} was told`)
    check(record.offset <= this.sent, `offset ${record.offset}, but only ${this.sent} were sent`)
    const isFull = record.length !== undefined && record.offset === record.length
    const isDone = record.status === 'complete' || record.status === 'finishing'
    if (this.isFinal)
      check(!isDone || record.offset === this.content.length, 'a final without all of its parts')
    else check(isDone === isFull, `${record.status} at ${record.offset} of ${String(record.length)}`)
    check(this.length === undefined || record.length === this.length || this.isFinal, 'the length changed')
    this.length ??= record.length
    this.acknowledged = record.offset
    if (this.hanging === undefined && !this.isFinal) this.sent = record.offset
  }
}

const RANKS = ['receiving', 'finishing', 'complete'] as const satisfies readonly UploadRecord['status'][]

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

/** What all clients together know. */
export interface Model {
  readonly uploads: Known[]
}
