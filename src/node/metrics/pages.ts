import type { Exchange, Reply } from '../../server/exchange.ts'
import { pathOfTarget } from '../../protocol/upload-url.ts'
import type { Readiness } from './readiness.ts'
import type { Scrape } from './scrape.ts'

/** Answers one path of the operator's. Never rejects. */
export type Page = (exchange: Exchange) => Promise<Reply>

const JSON_TYPE = 'application/json; charset=utf-8'
const utf8 = new TextEncoder()

/** @returns The page that an exchange asks for; `undefined`: it is for somebody else. */
export function pageAt(pages: ReadonlyMap<string, Page>, { target }: Exchange): Page | undefined {
  const path = pathOfTarget(target)
  return path === undefined ? undefined : pages.get(path)
}

/** That it is answered is the answer: a check of anything else here would have a healthy process killed. */
export const livePage: Page = readable(async () => reply(200, JSON_TYPE, text({ status: 'live' })))

export function readyPage(look: () => Promise<Readiness>): Page {
  return readable(async () => {
    const found = await look()
    return reply(found.status === 'ready' ? 200 : 503, JSON_TYPE, text(found))
  })
}

export function metricsPage(scraped: Scrape, report: (error: unknown) => void): Page {
  return readable(async () => {
    try {
      return reply(200, scraped.contentType, await scraped.text())
    } catch (error) {
      report(error)
      return reply(500, 'text/plain; charset=utf-8', 'The metrics could not be gathered.\n')
    }
  })
}

function readable(page: () => Promise<Reply>): Page {
  return async ({ method }) => {
    if (method === 'GET' || method === 'HEAD') return page()
    const refusal = reply(405, 'text/plain; charset=utf-8', 'This page can only be read.\n')
    return { ...refusal, headers: { ...refusal.headers, Allow: 'GET, HEAD' } }
  }
}

function text(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

function reply(status: number, contentType: string, body: string): Reply {
  return {
    status,
    headers: {
      'Content-Type': contentType,
      'Content-Length': String(utf8.encode(body).byteLength),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
    },
    body,
  }
}
