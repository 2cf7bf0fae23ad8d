import type { Engine } from '../../core/engine.ts'
import type { Catalog } from '../../core/ports/catalog.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { Store } from '../../core/ports/store.ts'
import { systemClock } from '../../core/system-clock.ts'
import type { Handler } from '../../server/handler.ts'
import type { SweepReport } from '../reaper.ts'
import { Interruptions } from './interruptions.ts'
import { measured } from './measured.ts'
import type { Page } from './pages.ts'
import { livePage, metricsPage, pageAt, readyPage } from './pages.ts'
import { readiness } from './readiness.ts'
import type { MetricsOptions, Scrape } from './scrape.ts'
import { scrape } from './scrape.ts'

export interface HealthOptions {
  /** Answers as long as the process does. @default '/livez' */
  readonly livePath?: string | undefined
  /** 503 while uploads cannot be taken. @default '/readyz' */
  readonly readyPath?: string | undefined
  /** Time for each check of readiness, in milliseconds. @default 1000 */
  readonly timeoutMs?: number | undefined
  /** Not ready unless more than this can still be stored, in bytes. @default 0 */
  readonly minFreeBytes?: number | undefined
}

export interface ObservabilityOptions {
  /** Prometheus metrics. @default none: nothing is counted */
  readonly metrics?: MetricsOptions | undefined
  /** `/livez` and `/readyz`; `false` switches them off. @default on */
  readonly health?: HealthOptions | false | undefined
  /** Path of the creation URL of the handler that is measured. @default '/files/' */
  readonly path?: string | undefined
  /** @default The clock of the machine. */
  readonly clock?: Clock | undefined
  /** Hears why something could not be told, or is not ready. */
  readonly report?: ((error: unknown) => void) | undefined
}

/** What an operator can see of uploads. */
export interface Observability {
  /** The same handler, measured, with the operator's pages before it. */
  handler(inner: Handler): Handler
  /** Counts what a sweep has found. */
  readonly swept: (found: SweepReport) => void
  /** Listens no more, and takes its metrics out of the registry. */
  close(): void
}

/**
 * Metrics and health of an engine. Says nothing that a client has sent: labels come from short lists, pages from us.
 *
 * Everybody who reaches the server can read its pages. Where that is the internet, close their paths in the proxy.
 *
 * @throws {TypeError} for a path that is none, or is there twice.
 */
export function observability(
  engine: Pick<Engine, 'isClosing' | 'observe'>,
  catalog: Pick<Catalog, 'list' | 'forget' | 'queues'>,
  store: Pick<Store, 'freeBytes'>,
  options: ObservabilityOptions = {},
): Observability {
  const { metrics, clock = systemClock, report = () => undefined, path: basePath = '/files/' } = options
  const pages = new Map<string, Page>()
  const add = (path: string, page: Page): void => {
    checkPath(path, basePath, pages)
    pages.set(path, page)
  }
  if (options.health !== false) {
    const { livePath, readyPath, timeoutMs = 1000, minFreeBytes = 0 } = options.health ?? {}
    add(livePath ?? '/livez', livePage)
    const isReady = readiness({ engine, catalog, store, clock, report, timeoutMs, minFreeBytes })
    add(readyPath ?? '/readyz', readyPage(isReady))
  }
  let counting: Counting | undefined
  if (metrics !== undefined) {
    const path = metrics.path ?? '/metrics'
    checkPath(path, basePath, pages)
    counting = count(engine, scrape(metrics, { queues: catalog.queues, clock, report }))
    add(path, metricsPage(counting.scraped, report))
  }
  return {
    handler(inner) {
      const { recorder } = counting?.scraped ?? {}
      const { interruptions } = counting ?? {}
      const counted =
        recorder === undefined || interruptions === undefined
          ? inner
          : measured(inner, { recorder, interruptions, basePath })
      return async (exchange) => {
        const page = pageAt(pages, exchange)
        return page === undefined ? counted(exchange) : page(exchange)
      }
    },
    swept: (found) => counting?.scraped.recorder.swept(found),
    close() {
      counting?.end()
      counting?.scraped.close()
    },
  }
}

interface Counting {
  readonly scraped: Scrape
  readonly interruptions: Interruptions
  end(): void
}

function count(engine: Pick<Engine, 'observe'>, scraped: Scrape): Counting {
  const { recorder } = scraped
  const interruptions = new Interruptions(recorder)
  const end = engine.observe((happening) => {
    if (happening.type === 'progress') return
    recorder.happened(happening.type, happening.upload)
    if (happening.type !== 'post-create') interruptions.forget(happening.upload.id)
  }, 'events')
  return { scraped, interruptions, end }
}

function checkPath(path: string, basePath: string, taken: ReadonlyMap<string, unknown>): void {
  if (!/^\/[A-Za-z0-9._~/-]{1,200}$/.test(path)) throw new TypeError(`a path starts with a slash: ${path}`)
  if (taken.has(path)) throw new TypeError(`there is a page at ${path} already`)
  const isOfUploads = basePath !== '/' && `${path}/`.startsWith(basePath)
  if (isOfUploads) throw new TypeError(`${path} is a path of uploads`)
}
