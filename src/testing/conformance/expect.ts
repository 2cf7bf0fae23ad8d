import { headerValue } from './wire-response.ts'
import type { WireResponse } from './wire-response.ts'

/** A final answer together with what was asked, so that a failure can be explained. */
export interface Answer extends WireResponse {
  /** The request in words. */
  readonly sent: string
}

/** A rule that does not hold. */
export class Unmet extends Error {
  readonly answer: Answer | undefined

  constructor(message: string, answer?: Answer) {
    super(message)
    this.name = 'Unmet'
    this.answer = answer
  }
}

/** The rule cannot be checked on this server; the message says why. */
export class NotApplicable extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'NotApplicable'
  }
}

/** The value of a field of an answer, `undefined` if absent. */
export function header(answer: Answer, name: string): string | undefined {
  return headerValue(answer, name)
}

/** The items of a comma-separated field, without the space around them. */
export function listHeader(answer: Answer, name: string): string[] {
  return (header(answer, name) ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

export function expectThat(holds: boolean, expectation: string, answer?: Answer): asserts holds {
  if (!holds) throw new Unmet(expectation, answer)
}

export function expectStatus(answer: Answer, ...allowed: readonly number[]): void {
  expectThat(
    allowed.includes(answer.status),
    `expected status ${allowed.join(' or ')}, got ${answer.status}`,
    answer,
  )
}

/** Any 4xx: the server saw that the request is wrong. */
export function expectRefused(answer: Answer): void {
  expectThat(
    answer.status >= 400 && answer.status < 500,
    `expected a refusal (4xx), got ${answer.status}`,
    answer,
  )
}

export function expectHeader(answer: Answer, name: string, wanted: string | RegExp): void {
  const found = header(answer, name)
  const holds = typeof wanted === 'string' ? found === wanted : found !== undefined && wanted.test(found)
  const shown = found === undefined ? 'it is missing' : `got ${JSON.stringify(found)}`
  const wish = typeof wanted === 'string' ? `${name}: ${wanted}` : `${name} to match ${wanted.source}`
  expectThat(holds, `expected ${wish}, ${shown}`, answer)
}

export function expectNoHeader(answer: Answer, name: string): void {
  const found = header(answer, name)
  expectThat(found === undefined, `expected no ${name}, got ${JSON.stringify(found)}`, answer)
}

/** `Upload-Offset` is exactly this many bytes. */
export function expectOffset(answer: Answer, offset: number): void {
  expectHeader(answer, 'Upload-Offset', String(offset))
}

/** The answer's `Upload-Offset` as a number; fails if it is absent or not a plain integer. */
export function offsetIn(answer: Answer): number {
  expectHeader(answer, 'Upload-Offset', /^\d{1,15}$/)
  return Number(header(answer, 'Upload-Offset'))
}

export function expectSameBytes(found: Uint8Array, wanted: Uint8Array, answer?: Answer): void {
  if (Buffer.compare(found, wanted) === 0) return
  let at = 0
  while (at < found.length && found[at] === wanted[at]) at += 1
  throw new Unmet(
    `expected exactly the ${wanted.length} bytes that were sent; got ${found.length} bytes, the first difference at byte ${at}`,
    answer,
  )
}

/** 412 with the versions that are spoken (tus 1.0 §Tus-Resumable). */
export function expectVersionRefusal(answer: Answer): void {
  expectStatus(answer, 412)
  expectHeader(answer, 'Tus-Version', /(^|[ ,])1\.0\.0($|[ ,])/)
}

/**
 * Runs a check for every row of a table and reports all rows that fail, the first one in full.
 * Rows run `atOnce` at a time (default 1).
 */
export async function every<Row>(
  rows: readonly Row[],
  check: (row: Row) => Promise<void>,
  options: { label?: (row: Row) => string; atOnce?: number } = {},
): Promise<void> {
  const label = options.label ?? ((row: Row): string => JSON.stringify(row))
  const failures: { row: string; error: Unmet }[] = []
  const queue = rows.values()
  const work = async (): Promise<void> => {
    for (const row of queue) {
      try {
        await check(row)
      } catch (error) {
        if (!(error instanceof Unmet)) throw explain(error, label(row))
        failures.push({ row: label(row), error })
      }
    }
  }
  await Promise.all(Array.from({ length: options.atOnce ?? 1 }, work))
  const [first, ...others] = failures
  if (first === undefined) return
  const more = others.length === 0 ? '' : `; also wrong for ${others.map(({ row }) => row).join(', ')}`
  throw new Unmet(`for ${first.row}: ${first.error.message}${more}`, first.error.answer)
}

function explain(error: unknown, row: string): unknown {
  if (error instanceof Error && !(error instanceof NotApplicable))
    error.message = `for ${row}: ${error.message}`
  return error
}
