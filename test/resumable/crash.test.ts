import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { contentOf, seededRandom, sha256 } from '../e2e/support/content.ts'
import { HttpClient, idOf } from '../e2e/support/http-client.ts'
import { temporaryDirectory } from '../e2e/support/temporary-directory.ts'
import { until } from '../e2e/support/until.ts'
import { HandlerProcess } from './support/handler-process.ts'

const SEED = Number(process.env['CARRYON_TEST_SEED'] ?? Date.now() % 1_000_000)
const content = contentOf(9).slice(0, 3_000_000)
const digest = sha256(content)
const NOTHING = new Uint8Array(0)

/** Sends all of it; the answer may never come. @returns Where the upload is, on any server of this directory. */
async function send(server: HandlerProcess): Promise<string> {
  const client = new HttpClient()
  const url = await client.create(server.url, content.length)
  void client
    .patch(url, 0, content)
    .catch(() => undefined)
    .finally(() => client.close())
  return idOf(url)
}

interface Heard {
  readonly attempt: number
  readonly key: string
  readonly sha256: string
}

/** The answer that is stored, asked for as clients do that have lost it. */
async function storedAnswer(server: HandlerProcess, id: string): Promise<Heard> {
  const client = new HttpClient()
  const url = `${server.url}/${id}`
  try {
    const head = await until(
      'the handler has answered',
      async () => {
        const answer = await client.head(url)
        return answer.status === 200 ? answer : undefined
      },
      20_000,
    )
    expect(head.headers['upload-offset']).toBe(String(content.length))
    const first = await client.patch(url, content.length, NOTHING)
    const second = await client.patch(url, content.length, NOTHING)
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.body.equals(first.body)).toBe(true)
    const heard = JSON.parse(first.body.toString()) as Heard
    expect(head.headers['x-attempt']).toBe(String(heard.attempt))
    return heard
  } finally {
    client.close()
  }
}

test(
  'killed while the handler is at work: it is called again, under the same key',
  { timeout: 60_000 },
  async () => {
    const dir = await temporaryDirectory()
    const first = await HandlerProcess.start(dir, 'hang')
    const id = await send(first)
    const call = await first.heard('called')
    expect(call).toMatchObject({ attempt: 1, key: id })
    await first.kill()

    const second = await HandlerProcess.start(dir, 'answer')
    // Nobody asks for it.
    expect(await second.heard('called')).toMatchObject({ attempt: 2, key: id, sha256: digest })
    expect(await storedAnswer(second, id)).toEqual({ attempt: 2, key: id, sha256: digest })
    await second.kill()

    const third = await HandlerProcess.start(dir, 'answer')
    expect(await storedAnswer(third, id)).toEqual({ attempt: 2, key: id, sha256: digest })
    expect([second.calls.length, third.calls.length]).toEqual([1, 0])
  },
)

test(
  `killed around the answer, seed ${SEED}: at least one call, exactly one stored answer`,
  { timeout: 120_000 },
  async () => {
    const random = seededRandom(SEED)
    for (let round = 0; round < 3; round += 1) {
      const dir = await temporaryDirectory()
      const calls: { attempt?: number; key?: string }[] = []
      let server = await HandlerProcess.start(dir, 'late')
      const id = await send(server)
      for (let kill = 0; kill < 2; kill += 1) {
        if (kill > 0) server = await HandlerProcess.start(dir, 'late')
        // From before the call to after its answer is stored; after that nobody calls any more.
        await Promise.race([server.heard('called').catch(() => undefined), delay(1500)])
        await delay(Math.floor(random() * 50))
        await server.kill()
        calls.push(...server.calls)
      }
      const last = await HandlerProcess.start(dir, 'answer')
      const stored = await storedAnswer(last, id)
      calls.push(...last.calls)
      expect(stored).toMatchObject({ key: id, sha256: digest })
      expect(calls.every(({ key }) => key === id)).toBe(true)
      const attempts = calls.map(({ attempt = 0 }) => attempt)
      // Each call is a later attempt than the one before, and the last one is that of the answer.
      expect(attempts).toEqual([...new Set(attempts)].sort((a, b) => a - b))
      expect(attempts.at(-1)).toBe(stored.attempt)
      await last.kill()
    }
  },
)
