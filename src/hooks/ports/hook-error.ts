/** Stable codes of what can go wrong with a hook. Messages are not stable. */
export type HookErrorCode =
  /** No answer: refused, reset, name not found, TLS. */
  | 'unreachable'
  /** No answer in time. */
  | 'timeout'
  /** The hook says that it failed: a status that is no success, an exit code, an exception. */
  | 'refused'
  /** An answer that makes no sense. */
  | 'bad-answer'
  /** Nothing was called: a file that cannot be run, a package that is missing, an event that cannot be read. */
  | 'setup'

/**
 * When the same call makes sense again. `soon`: what is wrong passes by itself. `later`: somebody has to mend
 * something first, and may well do so. `never`: the hook has said for good that it does not want it.
 */
export type HookRetry = 'soon' | 'later' | 'never'

export interface HookErrorDetails {
  readonly cause?: unknown
  readonly retry: HookRetry
  /** What the hook itself wants to be waited for, such as `Retry-After`. */
  readonly retryAfterMs?: number | undefined
}

const mark = Symbol.for('carryon.HookError')

/** Why a hook could not be asked. Recognise it by `isHookError`, not by `instanceof`. */
export class HookError extends Error {
  override readonly name: string = 'HookError'
  readonly code: HookErrorCode
  readonly retry: HookRetry
  readonly retryAfterMs: number | undefined

  constructor(code: HookErrorCode, message: string, details: HookErrorDetails) {
    const { cause, retry, retryAfterMs } = details
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retry = retry
    this.retryAfterMs = retryAfterMs
    Object.defineProperty(this, mark, { value: true })
  }
}

/** True for a `HookError` of any copy of this package. */
export function isHookError(value: unknown): value is HookError {
  return typeof value === 'object' && value !== null && mark in value
}

const EXCERPT_CHARACTERS = 500

/** What a hook has written, as one line for a message: without control characters, at most 500 characters. */
export function shownText(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\u2028\u2029\s]+/gu, ' ').trim()
  return line.length > EXCERPT_CHARACTERS ? `${line.slice(0, EXCERPT_CHARACTERS)}…` : line
}
