import type { Engine } from '../../core/engine.ts'
import { newUploadId } from '../../core/new-upload-id.ts'
import type { Catalog } from '../../core/ports/catalog.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { Store } from '../../core/ports/store.ts'
import { LATE, within } from './deadline.ts'
import { fresh } from './fresh.ts'

/** `full`: there is less room than was asked for. `late`: no answer in time. `failed`: an error; it is in the log. */
type CheckResult = 'ok' | 'failed' | 'late' | 'full'

/** What `/readyz` says. Nothing of it comes from an error: paths and addresses stay inside. */
export interface Readiness {
  readonly status: 'ready' | 'not-ready' | 'closing'
  readonly checks: Readonly<Record<string, CheckResult>>
}

export interface ReadinessParts {
  readonly engine: Pick<Engine, 'isClosing'>
  readonly catalog: Pick<Catalog, 'list' | 'forget'>
  readonly store: Pick<Store, 'freeBytes'>
  readonly clock: Clock
  /** Hears why a check does not succeed any more, once until it does again. */
  readonly report: (error: unknown) => void
  /** Time for each check, in milliseconds. */
  readonly timeoutMs: number
  /** Not ready with less free space than this. */
  readonly minFreeBytes: number
}

type Check = readonly [name: string, run: () => Promise<CheckResult>]

const MAX_AGE_MS = 1000

/**
 * Looks whether uploads can be taken, by really asking store and catalog. However often it is asked, it looks once a
 * second at most.
 */
export function readiness(parts: ReadinessParts): () => Promise<Readiness> {
  const { engine, clock } = parts
  const checks = checksOf(parts).map(
    ([name, run]) => [name, reporting(parts, name, limited(parts, run))] as const,
  )
  const look = fresh(clock, MAX_AGE_MS, async (): Promise<Readiness> => {
    const results = await Promise.all(checks.map(async ([name, run]) => [name, await run()] as const))
    const isReady = results.every(([, result]) => result === 'ok')
    return { status: isReady ? 'ready' : 'not-ready', checks: Object.fromEntries(results) }
  })
  return async () => {
    // Not kept for a second: a balancer is to hear at once that it should send nobody any more.
    if (engine.isClosing) return { status: 'closing', checks: {} }
    const found = await look()
    return engine.isClosing ? { status: 'closing', checks: {} } : found
  }
}

function checksOf({ catalog, store, minFreeBytes }: ReadinessParts): readonly Check[] {
  const { freeBytes } = store
  const checks: Check[] = [
    ['catalog-read', async () => ok(await catalog.list({ limit: 1 }))],
    ['catalog-write', async () => ok(await writeNothing(catalog))],
  ]
  if (freeBytes === undefined) return checks
  return [...checks, ['store', async () => ((await freeBytes.call(store)) > minFreeBytes ? 'ok' : 'full')]]
}

function ok(_found: unknown): CheckResult {
  return 'ok'
}

/** Takes the whole way of a change, its transaction included, and changes nothing: there is no such record. */
function writeNothing(catalog: Pick<Catalog, 'forget'>): Promise<boolean> {
  const nobody = newUploadId((bytes) => crypto.getRandomValues(bytes))
  return catalog.forget(nobody, { epoch: 0, offset: 0, status: 'cancelled' })
}

interface Run {
  readonly result: CheckResult
  readonly error?: unknown
}

/** Gives a check its time. One that hangs is not begun again: a hundred of them would help nobody. */
function limited({ clock, timeoutMs }: ReadinessParts, run: () => Promise<CheckResult>): () => Promise<Run> {
  let running: Promise<CheckResult> | undefined
  return async () => {
    running ??= run().finally(() => (running = undefined))
    try {
      const result = await within(clock, timeoutMs, running)
      return result === LATE ? { result: 'late' } : { result }
    } catch (error) {
      return { result: 'failed', error }
    }
  }
}

function reporting(
  { report }: ReadinessParts,
  name: string,
  run: () => Promise<Run>,
): () => Promise<CheckResult> {
  let last: CheckResult = 'ok'
  return async () => {
    const { result, error } = await run()
    if (result !== 'ok' && result !== last)
      report(new Error(`not ready: the check ${name} says ${result}`, { cause: error }))
    last = result
    return result
  }
}
