/* The contract in a real browser: IndexedDB, localStorage and Web Locks are the browser's own. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { urlStorageContract } from '../../../src/testing/url-storage-contract.ts'
import { type StartedBrowser, startBrowser } from '../../e2e/support/real-browser.ts'

let started: StartedBrowser
let page: Page | undefined
const closing: (() => void)[] = []

let script: string
let origin: string

beforeAll(async () => {
  started = await startBrowser()
  if (started.kind === 'none') return
  const bundle = await rolldown({ input: fileURLToPath(new URL('page.ts', import.meta.url)) })
  const { output } = await bundle.generate({ format: 'iife', name: 'storages' })
  script = output[0].code
  origin = await servePage()
  page = await started.browser.newPage()
  await page.goto(origin)
  await page.addScriptTag({ content: script })
}, 60_000)

afterAll(async () => {
  for (const close of closing) close()
  if (started.kind === 'running') await started.close()
})

/** An origin of its own, and because of 127.0.0.1 a secure context. */
async function servePage(): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html')
    response.end('<!doctype html><meta charset="utf-8"><title>storages</title>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** The page, or a skipped test where no browser starts. */
function pageFor(skip: (reason: string) => never): Page {
  if (page !== undefined) return page
  const reason = started.kind === 'none' ? started.reason : 'unknown'
  console.warn(`\n*** NO BROWSER TEST WAS RUN: Chromium does not start here: ${reason}\n`)
  return skip(`Chromium does not start here: ${reason}`)
}

const names: string[] = []
urlStorageContract({
  test: (name) => names.push(name),
  factory: () => Promise.reject(new Error('it runs in the page')),
})

describe.each(['indexedDb', 'localStorage'])('in Chromium: %s', (kind) => {
  for (const name of names) {
    test(
      name,
      async ({ skip }) => {
        const result = await pageFor(skip).evaluate(
          `storages.run(${JSON.stringify(kind)}, ${JSON.stringify(name)})`,
        )
        expect(result).toBe('passed')
      },
      90_000,
    )
  }
})

test('in Chromium: IndexedDB keeps 500 entries, and closes for whoever deletes it', async ({ skip }) => {
  const result = await pageFor(skip).evaluate('storages.limits()')
  expect(result).toEqual({ held: 500, hasOldest: false, hasNewest: true, after: 1 })
})

test('in Chromium: a full disk rejects', async ({ skip }) => {
  // A context of its own: the browser remembers for a while how much room there was.
  const context = await pageFor(skip).context().browser()!.newContext()
  try {
    const small = await context.newPage()
    await small.goto(origin)
    await small.addScriptTag({ content: script })
    const session = await context.newCDPSession(small)
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1000 })
    expect(await small.evaluate('storages.fill()')).toContain('Quota')
  } finally {
    await context.close()
  }
})

test('in Chromium: in a worker, IndexedDB works with locks, and importing touches nothing', async ({
  skip,
}) => {
  const open = pageFor(skip)
  const source = `${script}; storages.inWorker().then((found) => postMessage(found), (error) => postMessage(String(error)))`
  const found = await open.evaluate(
    `new Promise((resolve) => {
      const worker = new Worker(URL.createObjectURL(new Blob([${JSON.stringify(source)}])))
      worker.onmessage = ({ data }) => resolve(data)
      worker.onerror = ({ message }) => resolve(message)
    })`,
  )
  expect(found).toEqual({ keys: ['a'], hasLock: true })
})
