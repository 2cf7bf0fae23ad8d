import type { SettleJob, SettlePlace } from './settle.ts'

export interface SettleRequest {
  /** Pairs an answer with its request. */
  readonly batch: number
  readonly place: SettlePlace
  readonly jobs: readonly SettleJob[]
}

export type SettledJob =
  | { readonly ok: true; readonly name: string }
  | {
      readonly ok: false
      /** Recorded bytes are missing. */
      readonly corrupt: boolean
      readonly code: string | undefined
      readonly message: string
    }

export interface SettleAnswer {
  readonly batch: number
  readonly results: readonly SettledJob[]
}
