import { parseHttpDate } from './http-date.ts'
import { trimWhitespace } from './whitespace.ts'

/** What the conditions are evaluated against. */
export interface ConditionContext {
  /** The method the request is treated as. */
  readonly method: string
  /** The strong entity tag of the representation, with its quotes. */
  readonly etag: string
  /** When the representation last changed, in milliseconds since 1970; `undefined` if not known. */
  readonly lastModifiedMs?: number | undefined
  /** The present, in milliseconds since 1970; only for two-digit years in dates. */
  readonly nowMs: number
}

/** The conditional fields of a request as received; `undefined` if absent. */
export interface ConditionFields {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
  readonly ifModifiedSince?: string | undefined
  readonly ifUnmodifiedSince?: string | undefined
  readonly ifRange?: string | undefined
}

/** What to do: go on, answer 304, or answer 412; and whether a `Range` of the request counts. */
export interface ConditionResult {
  readonly outcome: 'proceed' | 'not-modified' | 'precondition-failed'
  readonly rangeApplies: boolean
}

/**
 * Evaluates the conditions of a request on an existing representation, in the order of RFC 9110 §13.2.2.
 *
 * A date that cannot be read is ignored. An entity-tag list that cannot be read matches nothing, so `If-Match`
 * then fails (nothing is done by mistake) and `If-None-Match` then holds (nothing stale is kept).
 */
export function evaluateConditions(fields: ConditionFields, context: ConditionContext): ConditionResult {
  if (!mayGoOn(fields, context)) return { outcome: 'precondition-failed', rangeApplies: false }
  if (!isWanted(fields, context)) {
    const outcome = isReading(context.method) ? 'not-modified' : 'precondition-failed'
    return { outcome, rangeApplies: false }
  }
  // RFC 9110 §14.2: Range is defined for GET alone.
  return { outcome: 'proceed', rangeApplies: context.method === 'GET' && rangeIsCurrent(fields, context) }
}

function mayGoOn(fields: ConditionFields, context: ConditionContext): boolean {
  if (fields.ifMatch !== undefined) return matches(fields.ifMatch, context.etag, 'strong')
  const changed = changedSince(fields.ifUnmodifiedSince, context)
  return changed !== true
}

function isWanted(fields: ConditionFields, context: ConditionContext): boolean {
  if (fields.ifNoneMatch !== undefined) return !matches(fields.ifNoneMatch, context.etag, 'weak')
  if (!isReading(context.method)) return true
  return changedSince(fields.ifModifiedSince, context) !== false
}

function rangeIsCurrent({ ifRange }: ConditionFields, context: ConditionContext): boolean {
  if (ifRange === undefined) return true
  const validator = trimWhitespace(ifRange)
  if (validator.endsWith('"')) return validator === context.etag
  // The bytes of a finished upload never change, so its date is as strong as its tag (RFC 9110 §13.1.5).
  const date = parseHttpDate(validator, context.nowMs)
  return (
    date.ok && context.lastModifiedMs !== undefined && date.value === wholeSeconds(context.lastModifiedMs)
  )
}

function changedSince(
  raw: string | undefined,
  { lastModifiedMs, nowMs }: ConditionContext,
): boolean | undefined {
  if (raw === undefined || lastModifiedMs === undefined) return undefined
  const date = parseHttpDate(raw, nowMs)
  return date.ok ? wholeSeconds(lastModifiedMs) > date.value : undefined
}

function matches(raw: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  const list = trimWhitespace(raw)
  if (list === '*') return true
  return parseEntityTags(list).some(({ weak, tag }) => tag === etag && (comparison === 'weak' || !weak))
}

interface EntityTag {
  readonly weak: boolean
  readonly tag: string
}

// A tag may contain commas: the list cannot simply be split at them.
function parseEntityTags(list: string): readonly EntityTag[] {
  const element = /[ \t]*(?:(?<weak>W\/)?(?<tag>"[\x21\x23-\x7e\x80-\xff]*"))?[ \t]*(?:,|$)/y
  const tags: EntityTag[] = []
  while (element.lastIndex < list.length) {
    const found = element.exec(list)
    if (found === null) return []
    const { weak, tag } = found.groups ?? {}
    if (tag !== undefined) tags.push({ weak: weak !== undefined, tag })
  }
  return tags
}

function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

// HTTP dates have whole seconds: with its fraction a date would always be later than its own Last-Modified.
function wholeSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000
}
