import { statusOf, type CaseResult, type ConformanceReport } from './result.ts'
import type { Case, Chapter } from './case.ts'
import { chapters } from './chapters.ts'
import { Context, type Session } from './context.ts'
import { discover, tidyUp } from './discover.ts'
import { within } from './exchange.ts'
import { explain } from './explain.ts'
import { NotApplicable } from './expect.ts'
import { WireError } from './wire-response.ts'

export interface ConformanceOptions {
  /** The creation URL of the server, e.g. `http://127.0.0.1:1080/files/`. */
  readonly url: string
  /** Also fail on SHOULD, MAY and on what the text leaves open. @default false */
  readonly strict?: boolean
  /** Ids to run; `T-P*` takes all that begin with `T-P`. @default all */
  readonly only?: readonly string[]
  /** Time for one case, in milliseconds. @default 10000 */
  readonly timeoutMs?: number
  /** Fields for every request, e.g. `Authorization`. Sent to the origin of `url` only. */
  readonly headers?: Readonly<Record<string, string>>
  /** PEM certificates of a private authority, for `https:` URLs. */
  readonly ca?: string
  /** Cases that run at the same time. @default 4 */
  readonly concurrency?: number
  /** Called with each result as it comes, not in the order of the report. */
  readonly onResult?: (result: CaseResult) => void
  /** Ends the run early. */
  readonly signal?: AbortSignal
}

interface Selected {
  readonly chapter: Chapter
  readonly item: Case
}

const defaultTimeoutMs = 10_000
const tidyUpMs = 2000

/**
 * Checks a tus 1.0 server from outside, rule by rule. It creates uploads there, and terminates them
 * afterwards where the server offers termination.
 *
 * Cases of an extension that is not announced are reported as `not-applicable`, never as passed.
 *
 * @returns All results in the order of the text. It resolves also when rules fail: see `ok`.
 * @throws {TypeError} `url` is not an http URL, or `only` names no case.
 * @throws {Error} The server cannot be reached or does not answer OPTIONS.
 * @throws `signal.reason` if aborted.
 * @see https://tus.io/protocols/resumable-upload
 */
export async function conformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const started = performance.now()
  const url = parseUrl(options.url)
  const selected = select(options.only)
  const signal = options.signal ?? new AbortController().signal
  signal.throwIfAborted()
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  const shared = { url, fields: options.headers ?? {}, ca: options.ca, timeoutMs }
  const capabilities = await discover(
    shared,
    AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  ).catch((error: unknown) => {
    signal.throwIfAborted()
    throw new Error(`no tus server answers at ${url.href}: ${explain(error).message}`, { cause: error })
  })
  const session: Session = { ...shared, capabilities }
  const results = new Map<string, CaseResult>()
  const queue = selected.values()
  const work = async (): Promise<void> => {
    for (const entry of queue) {
      if (signal.aborted) return
      const result = await runCase(entry, session, { strict: options.strict ?? false, signal })
      results.set(result.id, result)
      options.onResult?.(result)
    }
  }
  await Promise.all(Array.from({ length: options.concurrency ?? 4 }, work))
  signal.throwIfAborted()
  const inOrder = selected.flatMap(({ item }) => results.get(item.id) ?? [])
  return summarise(url.href, options.strict ?? false, inOrder, performance.now() - started)
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(`not an http or https URL: ${JSON.stringify(text)}`)
  }
  return url
}

function select(only: readonly string[] | undefined): Selected[] {
  const all = chapters.flatMap((chapter) => chapter.cases.map((item) => ({ chapter, item })))
  if (only === undefined) return all
  const matches = (id: string, pattern: string): boolean =>
    pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern
  const unknown = only.filter((pattern) => !all.some(({ item }) => matches(item.id, pattern)))
  if (unknown.length > 0) throw new TypeError(`no case has the id ${unknown.join(', ')}`)
  return all.filter(({ item }) => only.some((pattern) => matches(item.id, pattern)))
}

async function runCase(
  { chapter, item }: Selected,
  session: Session,
  { strict, signal }: { strict: boolean; signal: AbortSignal },
): Promise<CaseResult> {
  const started = performance.now()
  const deadline = AbortSignal.timeout(session.timeoutMs * (item.patience ?? 1))
  const over = new AbortController()
  const ctx = new Context(session, AbortSignal.any([signal, deadline, over.signal]))
  const base = {
    id: item.id,
    title: item.title,
    level: item.level,
    chapter: chapter.title,
    section: item.section ?? chapter.section,
  }
  const elapsed = (): number => Math.round(performance.now() - started)
  try {
    await checkApplicable(item, ctx)
    await orDeadline(item.run(ctx), deadline)
    return { ...base, status: 'passed', durationMs: elapsed() }
  } catch (error) {
    const { kind, message, evidence } = explain(error)
    const status = kind === 'not-applicable' ? kind : statusOf(item.level, strict)
    return {
      ...base,
      status,
      message,
      ...(evidence === undefined ? {} : { evidence }),
      durationMs: elapsed(),
    }
  } finally {
    // Whatever a broken case left open would keep the process alive.
    over.abort()
    await tidyUpQuietly(session, ctx)
  }
}

async function checkApplicable(item: Case, ctx: Context): Promise<void> {
  for (const extension of item.requires ?? []) ctx.needs(extension)
  if (item.without !== undefined && ctx.has(item.without)) {
    throw new NotApplicable(`the server announces ${item.without}`)
  }
}

/** Everything a case waits for ends with the deadline; this is the net below a case that does not. */
async function orDeadline(run: Promise<void>, deadline: AbortSignal): Promise<void> {
  const late = new Promise<never>((_, reject) => {
    const giveUp = (): void => reject(new WireError('timeout', 'the deadline of this case has passed'))
    deadline.addEventListener('abort', () => setTimeout(giveUp, 100), { once: true })
  })
  await Promise.race([run, late])
}

async function tidyUpQuietly(session: Session, ctx: Context): Promise<void> {
  if (ctx.created.length === 0) return
  const signal = AbortSignal.timeout(tidyUpMs)
  await within(tidyUp(new Context(session, signal), ctx.created), tidyUpMs)
}

function summarise(
  url: string,
  strict: boolean,
  results: readonly CaseResult[],
  durationMs: number,
): ConformanceReport {
  const count = (status: CaseResult['status']): number =>
    results.filter((result) => result.status === status).length
  const totals = {
    passed: count('passed'),
    failed: count('failed'),
    warned: count('warned'),
    notApplicable: count('not-applicable'),
  }
  return { url, strict, ok: totals.failed === 0, totals, durationMs: Math.round(durationMs), results }
}
