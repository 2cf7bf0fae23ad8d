import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { afterTest } from '../../e2e/support/after-test.ts'
import { contentOf, sha256 } from '../../e2e/support/content.ts'
import type { LocalServer, LocalServerOptions } from '../../e2e/support/local-server.ts'
import { localServer } from '../../e2e/support/local-server.ts'
import { temporaryDirectory } from '../../e2e/support/temporary-directory.ts'
import type { StartedBrowser } from '../../e2e/support/real-browser.ts'
import { startBrowser } from '../../e2e/support/real-browser.ts'
import type { Line } from './line.ts'
import { lineTo } from './line.ts'
import type * as inPage from './page.ts'
import type { Pages } from './pages.ts'
import { servePages } from './pages.ts'

export const MIB: number = 1024 * 1024

/** A browser with nothing in it, a server of another origin, and the line between them. */
export interface Scene {
  readonly browser: Browser
  readonly context: BrowserContext
  readonly page: Page
  readonly pages: Pages
  readonly server: LocalServer
  readonly line: Line
  /** Another tab. */
  readonly open: () => Promise<Page>
  /** SHA-256 of what the server has under the name of a finished upload. */
  readonly arrived: (url: string | undefined) => Promise<string>
}

type Skip = (reason: string) => never

/** One browser for all tests of a file. A test is skipped where none starts. */
export function browserScenes(): (skip: Skip, options?: LocalServerOptions) => Promise<Scene> {
  let started: StartedBrowser
  let pages: Pages
  beforeAll(async () => {
    ;[started, pages] = await Promise.all([startBrowser(), servePages()])
  }, 60_000)
  afterAll(async () => {
    pages.close()
    if (started.kind === 'running') await started.close()
  })
  return async (skip, options) => {
    if (started.kind === 'none') {
      console.warn(`\n*** NO BROWSER TEST WAS RUN: Chromium does not start here: ${started.reason}\n`)
      return skip(`Chromium does not start here: ${started.reason}`)
    }
    const { browser } = started
    const server = await localServer(options)
    const line = await lineTo(server.url)
    const context = await browser.newContext()
    afterTest(() => context.close())
    const open = async (): Promise<Page> => {
      const page = await context.newPage()
      await page.goto(pages.origin)
      return page
    }
    const arrived = async (url = ''): Promise<string> => sha256(await server.completed(url))
    return { browser, context, page: await open(), pages, server, line, open, arrived }
  }
}

type InPage = typeof inPage

/** Calls a function of `page.ts` in the page. */
export function call<Name extends keyof InPage>(
  page: Page,
  name: Name,
  ...given: Parameters<InPage[Name]>
): Promise<Awaited<ReturnType<InPage[Name]>>> {
  return page.evaluate(`uploads.${name}(...${JSON.stringify(given)})`)
}

/** A file on the disk, until the test is over. */
export interface PickedFile {
  readonly path: string
  readonly sizeBytes: number
  readonly sha256: string
}

export async function fileOf(sizeBytes: number, name = 'Grüße 🎉.bin'): Promise<PickedFile> {
  const path = join(await temporaryDirectory(), name)
  const content = contentOf(sizeBytes)
  const hash = createHash('sha256')
  await writeFile(path, [])
  for (let at = 0; at < sizeBytes; at += 8 * MIB) {
    const bytes = content.slice(at, Math.min(at + 8 * MIB, sizeBytes))
    hash.update(bytes)
    await writeFile(path, bytes, { flag: 'a' })
  }
  return { path, sizeBytes, sha256: hash.digest('hex') }
}

/** Picks a file as a visitor does. */
export async function pick(page: Page, { path }: PickedFile): Promise<void> {
  await page.setInputFiles('input', path)
}
