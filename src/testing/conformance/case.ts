import type { Context } from './context.ts'

/** How binding the text is. `DECISION`: the text is silent and the case states what Carryon decided. */
export type Level = 'MUST' | 'SHOULD' | 'MAY' | 'DECISION'

export const extensions = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'expiration',
  'checksum',
  'checksum-trailer',
  'termination',
  'concatenation',
  'concatenation-unfinished',
] as const

/** An extension of tus 1.0 by its announced name. */
export type Extension = (typeof extensions)[number]

/** One independent check of one rule. */
export interface Case {
  /** Stable name, e.g. `T-P2`; a letter behind it marks the part of the rule that has another level. */
  readonly id: string
  readonly title: string
  readonly level: Level
  /** Overrides the chapter's link. */
  readonly section?: string
  /** Extensions that must be announced; otherwise the case is not applicable. */
  readonly requires?: readonly Extension[]
  /** An extension that must *not* be announced: the case checks that the server then leaves it alone. */
  readonly without?: Extension
  /** Multiplies the deadline, for a case with very many requests. */
  readonly patience?: number
  /** Resolves if the rule holds; throws `Unmet`, `NotApplicable` or `WireError` otherwise. */
  run(ctx: Context): Promise<void>
}

/** The cases of one section of the text. */
export interface Chapter {
  readonly title: string
  /** Link to the text. */
  readonly section: string
  readonly cases: readonly Case[]
}

const tusText = 'https://tus.io/protocols/resumable-upload'

/** Link to a heading of the tus 1.0 text. */
export function tusSection(anchor: string): string {
  return `${tusText}#${anchor}`
}
