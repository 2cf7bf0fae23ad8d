import type { Level } from './case.ts'
import type { Evidence } from './explain.ts'

/**
 * `failed` counts against the server; `warned` is a rule that does not bind it (SHOULD, MAY, or a decision
 * of Carryon where the text is silent); `not-applicable` was not checked, the message says why.
 */
export type Status = 'passed' | 'failed' | 'warned' | 'not-applicable'

/** The outcome of one case. */
export interface CaseResult {
  readonly id: string
  readonly title: string
  readonly level: Level
  /** Heading under which the case stands. */
  readonly chapter: string
  /** Link to the text of the rule. */
  readonly section: string
  readonly status: Status
  /** Why it did not pass. */
  readonly message?: string
  /** What was sent and what came, where one exchange shows the failure. */
  readonly evidence?: Evidence
  readonly durationMs: number
}

/** The outcome of a run; plain data, ready for JSON. */
export interface ConformanceReport {
  readonly url: string
  readonly strict: boolean
  /** No case failed. Cases that are not applicable do not count. */
  readonly ok: boolean
  readonly totals: {
    readonly passed: number
    readonly failed: number
    readonly warned: number
    readonly notApplicable: number
  }
  readonly durationMs: number
  readonly results: readonly CaseResult[]
}

/** How a broken rule of this level counts. */
export function statusOf(level: Level, strict: boolean): 'failed' | 'warned' {
  return strict || level === 'MUST' ? 'failed' : 'warned'
}
