/** What every parser of client input answers: a value, or one plain sentence that says what is wrong. */
export type Parsed<T> = Success<T> | Failure

/** The input was well formed. */
export interface Success<T> {
  readonly ok: true
  readonly value: T
}

/** The input was refused. `reason` is printable ASCII and safe to send to the client and to log. */
export interface Failure {
  readonly ok: false
  readonly reason: string
}

/** Wraps a parsed value. */
export function success<T>(value: T): Success<T> {
  return { ok: true, value }
}

/** Wraps a refusal. Client input may enter `reason` only through {@link excerpt}. */
export function failure(reason: string): Failure {
  return { ok: false, reason }
}

const EXCERPT_CHARACTERS = 40

/**
 * Quotes a piece of client input for a message.
 *
 * The result is printable ASCII, at most 45 characters long: control characters, quotes, backslashes and
 * everything outside ASCII become `?`, so it can break neither a header, nor a log line, nor a terminal.
 */
export function excerpt(text: string): string {
  const shown = text.slice(0, EXCERPT_CHARACTERS).replaceAll(/[^\x20-\x7e]|["\\]/g, '?')
  return text.length > EXCERPT_CHARACTERS ? `"${shown}..."` : `"${shown}"`
}
