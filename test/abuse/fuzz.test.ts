import { expect, test } from 'vitest'
import { contentOf } from '../e2e/support/content.ts'
import { HttpClient } from '../e2e/support/http-client.ts'
import { until, within } from '../e2e/support/until.ts'
import { Fuzzer } from './support/fuzzer.ts'
import type { Holdings, Served } from './support/served.ts'
import { serve } from './support/served.ts'

/** More of them for a night: `CARRYON_FUZZ_REQUESTS=200000 npx vitest run test/abuse/fuzz.test.ts`. */
const REQUESTS = Number(process.env['CARRYON_FUZZ_REQUESTS'] ?? 10_000)
const SEED = Number(process.env['CARRYON_TEST_SEED'] ?? Date.now() % 1_000_000)
const BATCH = 500
const AT_ONCE = 12
const CANARY_MS = 5000
const BLOCK_BYTES = 1000

/** What must have been answered to some of them: bent requests that are all refused at the door prove little. */
const WANTED = [200, 201, 204, 206, 400, 404, 405, 409, 410, 412, 413, 415, 416, 431, 460]
/** Files that the server keeps open for the next append. */
const KEPT_FILES = 256
const SPARE_DESCRIPTORS = 30
const MAX_GROWTH_BYTES = 250 * 1024 * 1024

/** An upload of somebody who plays by the rules, next to all that. */
class Canary {
  readonly #client = new HttpClient()
  readonly #content = contentOf(7)
  readonly #lengthBytes: number
  #sentBytes = 0
  #url = ''

  constructor(blocks: number) {
    this.#lengthBytes = blocks * BLOCK_BYTES
  }

  async create(url: string): Promise<void> {
    this.#url = await this.#client.create(url, this.#lengthBytes)
  }

  /** Uploads one more block; fails if the server takes too long for it or has lost count. */
  async sing(): Promise<void> {
    const to = this.#sentBytes + BLOCK_BYTES
    const block = this.#content.slice(this.#sentBytes, to)
    const answer = await within(
      'a PATCH of the canary',
      this.#client.patch(this.#url, this.#sentBytes, block),
      CANARY_MS,
    )
    expect(answer.status).toBe(204)
    this.#sentBytes = to
    const offset = await within('a HEAD of the canary', this.#client.offset(this.#url), CANARY_MS)
    expect(offset).toBe(to)
  }

  async isWhole(): Promise<boolean> {
    const { status, body } = await this.#client.get(this.#url)
    this.#client.close()
    return status === 200 && body.equals(this.#content.slice(0, this.#lengthBytes))
  }
}

test(
  `${REQUESTS} bent requests: no end, no hang, no 5xx, no trace in anybody's upload (seed ${SEED})`,
  { timeout: 120_000 + REQUESTS * 30 },
  async () => {
    // Small enough that all of them together never ask for more space than there is: no 507 is fair.
    const server = await serve(['--max-size', '1MiB'])
    const fuzzer = new Fuzzer(server, SEED)
    const idle = await server.holdings()
    const canary = new Canary(Math.ceil(REQUESTS / BATCH))
    await canary.create(server.url)
    let early: Holdings | undefined
    for (let from = 0; from < REQUESTS; from += BATCH) {
      await fuzzer.run(from, Math.min(REQUESTS, from + BATCH), AT_ONCE)
      if (server.hasEnded || fuzzer.offences.length > 0 || server.complaints().length > 0) {
        throw new Error([...server.complaints(), fuzzer.report()].join('\n'))
      }
      await canary.sing()
      // The first quarter warms up: code is compiled, caches fill.
      if (from + BATCH >= REQUESTS / 4) early ??= await server.holdings()
    }
    expect(await canary.isWhole()).toBe(true)
    if (REQUESTS >= 10_000) expect([...fuzzer.statuses.keys()]).toEqual(expect.arrayContaining(WANTED))
    if (idle !== undefined && early !== undefined) await expectNoMore(server, idle, early)
  },
)

async function expectNoMore(server: Served, idle: Holdings, early: Holdings): Promise<void> {
  await until(
    'all connections are closed',
    async () => ((await server.holdings())?.connections ?? 0) <= idle.connections,
    10_000,
  )
  const last = await server.holdings()
  expect((last?.others ?? 0) - idle.others).toBeLessThan(KEPT_FILES + SPARE_DESCRIPTORS)
  expect((last?.residentBytes ?? 0) - early.residentBytes).toBeLessThan(MAX_GROWTH_BYTES)
}
