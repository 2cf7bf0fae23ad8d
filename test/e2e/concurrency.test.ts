import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { contentOf } from './support/content.ts'
import { HttpClient, idOf, offsetOf } from './support/http-client.ts'
import type { LocalServer } from './support/local-server.ts'
import { localServer } from './support/local-server.ts'
import { RawConnection } from './support/raw-connection.ts'
import { patchFields, TUS_FIELDS } from './support/tus-fields.ts'
import { until } from './support/until.ts'

const MIB = 1024 * 1024
const content = contentOf(1)
const otherContent = contentOf(2)

/** A PATCH that declares the whole upload and stops after some bytes, all of which the server has written. */
async function stalledPatch(
  server: LocalServer,
  url: string,
  length: number,
  sent: number,
): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port)
  connection.request(`PATCH ${new URL(url).pathname}`, patchFields(0, length), content.slice(0, sent))
  const file = join(server.dir, 'data', idOf(url))
  await until('the bytes are written', async () => (await stat(file).catch(() => undefined))?.size === sent)
  return connection
}

/** Sends without end, as fast as the server reads, until the connection is gone. */
function flood(connection: RawConnection, bytes: Uint8Array): void {
  const more = (): void => {
    if (connection.ended !== 'open') return
    connection.write(bytes)
    void connection.written().then(more, () => undefined)
  }
  more()
}

/** @see reference T-P15, R-N1 */
test('of two PATCHes at one offset at most one is accepted, and bytes are never mixed', async () => {
  const server = await localServer()
  const client = new HttpClient()
  for (let round = 0; round < 10; round += 1) {
    const url = await client.create(server.url, MIB)
    const answers = await Promise.all(
      [content, otherContent].map((one) => client.patch(url, 0, one.slice(0, MIB)).catch(() => undefined)),
    )
    const accepted = answers.filter((answer) => answer?.status === 204)
    expect(accepted.length).toBeLessThanOrEqual(1)
    for (const answer of answers) expect([undefined, 204, 409, 423]).toContain(answer?.status)
    const offset = await client.offset(url)
    if (offset < MIB) await client.patch(url, offset, content.slice(offset, MIB))
    const stored = (await server.completed(url)).subarray(0, offset)
    const isOneOfThem = [content, otherContent].some((one) => stored.equals(one.slice(0, offset)))
    expect(isOneOfThem, `round ${round}, offset ${offset}`).toBe(true)
  }
  expect(server.reported).toEqual([])
})

/** @see reference R-N2, R-N3, T-H11 */
test('HEAD stops a stalled PATCH within a second and answers an offset that is then accepted', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, MIB)
  const stalled = await stalledPatch(server, url, MIB, 100_000)
  const askedMs = performance.now()
  const offset = await client.offset(url)
  expect(performance.now() - askedMs).toBeLessThan(1000)
  expect(offset).toBe(100_000)
  await until('the old connection is reset', () => stalled.ended === 'reset')
  const answer = await client.patch(url, offset, content.slice(offset, MIB))
  expect(answer.status).toBe(204)
  expect((await server.completed(url)).equals(content.slice(0, MIB))).toBe(true)
})

/** @see reference R-N3 */
test('bytes of a pre-empted PATCH that is still sending never land', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const length = 64 * MIB
  const url = await client.create(server.url, length)
  const old = await RawConnection.open(server.port)
  old.request(`PATCH ${new URL(url).pathname}`, patchFields(0, length), otherContent.slice(0, 1000))
  flood(old, otherContent.slice(1000, 300_000))
  const file = join(server.dir, 'data', idOf(url))
  await until('it has begun', async () => (await stat(file).catch(() => undefined)) !== undefined)
  const offset = await client.offset(url)
  const answer = await client.patch(url, offset, Buffer.alloc(length - offset, 7))
  expect(answer.status).toBe(204)
  const stored = await server.completed(url)
  expect(stored.length).toBe(length)
  expect(stored.subarray(offset).every((byte) => byte === 7)).toBe(true)
  expect(old.ended).toBe('reset')
})

/** @see reference R-N4 */
test('a newer PATCH stops a stalled one: at the right offset it goes on, at a stale one it is told', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, MIB)
  const first = await stalledPatch(server, url, MIB, 100_000)
  const stale = await client.patch(url, 0, content.slice(0, MIB))
  expect(stale.status).toBe(409)
  expect(offsetOf(stale)).toBe(100_000)
  await until('the first is reset', () => first.ended === 'reset')

  const second = await RawConnection.open(server.port)
  second.request(
    `PATCH ${new URL(url).pathname}`,
    patchFields(100_000, MIB - 100_000),
    content.slice(100_000, 150_000),
  )
  const file = join(server.dir, 'data', idOf(url))
  await until('the second has written', async () => (await stat(file)).size === 150_000)
  const right = await client.patch(url, 150_000, content.slice(150_000, MIB))
  expect(right.status).toBe(204)
  await until('the second is reset', () => second.ended === 'reset')
  expect((await server.completed(url)).equals(content.slice(0, MIB))).toBe(true)
})

/** @see reference R-N6, T-D4 */
test('DELETE during a PATCH ends it, and nothing reappears', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, MIB)
  const running = await stalledPatch(server, url, MIB, 100_000)
  const answer = await client.remove(url)
  expect(answer.status).toBe(204)
  await until('the PATCH is reset', () => running.ended === 'reset')
  expect((await client.head(url)).status).toBe(410)
  expect(await readdir(join(server.dir, 'data'))).toEqual([])
  expect(await readdir(join(server.dir, 'completed'))).toEqual([])
})

/** @see reference R-N6 */
test('DELETE during a PATCH that is sending at full speed frees every byte', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, 1024 * MIB)
  const running = await RawConnection.open(server.port)
  running.request(`PATCH ${new URL(url).pathname}`, patchFields(0, 1024 * MIB))
  flood(running, content.slice(0, 300_000))
  const file = join(server.dir, 'data', idOf(url))
  await until(
    'a megabyte is written',
    async () => ((await stat(file).catch(() => undefined))?.size ?? 0) > MIB,
  )
  expect((await client.remove(url)).status).toBe(204)
  await until('the PATCH is reset', () => running.ended === 'reset')
  expect(await readdir(join(server.dir, 'data'))).toEqual([])
})

/** @see reference R-N7: a request whose body is there is not an ongoing transfer */
test('HEADs during PATCHes that are complete do not cost them their answers', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, 20 * 100_000)
  for (let offset = 0; offset < 20 * 100_000; offset += 100_000) {
    const connection = await RawConnection.open(server.port)
    const path = new URL(url).pathname
    const body = content.slice(offset, offset + 100_000)
    connection.request(`PATCH ${path}`, patchFields(offset, 100_000), body)
    await connection.written()
    const looked = await client.offset(url)
    const answer = await connection.answer().catch(() => undefined)
    // The HEAD may still find bytes on their way; then it stops the PATCH, and says where it stopped.
    if (answer === undefined) await client.patch(url, looked, content.slice(looked, offset + 100_000))
    else expect(answer.status).toBe(204)
  }
  expect((await server.completed(url)).equals(content.slice(0, 20 * 100_000))).toBe(true)
})

/** tus 1.0 §PATCH: for a client, offset = length is the end; there is nothing left to send. */
test.each(['reset', 'HEAD'])(
  'an upload whose last byte has come is complete, though a %s cuts the request',
  async (how) => {
    const server = await localServer()
    const client = new HttpClient()
    const url = await client.create(server.url, 100_000)
    const connection = await RawConnection.open(server.port)
    const path = new URL(url).pathname
    const body = content.slice(0, 100_000)
    // A chunked body without its last chunk.
    connection.request(`PATCH ${path}`, { ...patchFields(0), 'Transfer-Encoding': 'chunked' }, '186a0\r\n')
    connection.write(body)
    const file = join(server.dir, 'data', idOf(url))
    await until(
      'the bytes are written',
      async () => (await stat(file).catch(() => undefined))?.size === 100_000,
    )
    if (how === 'reset') connection.reset()
    await until('the server knows', async () => (await client.offset(url)) === 100_000)
    expect((await server.completed(url)).equals(body)).toBe(true)
    const whole = await client.get(url)
    expect(whole.body.equals(body)).toBe(true)
  },
)

/** @see reference R-N2 */
test('looking on does not disturb: a GET of an upload under way leaves the PATCH alone', async () => {
  const server = await localServer()
  const client = new HttpClient()
  const url = await client.create(server.url, MIB)
  const running = await stalledPatch(server, url, MIB, 100_000)
  expect((await client.ask({ method: 'GET', url, headers: TUS_FIELDS })).status).toBe(204)
  running.write(content.slice(100_000, MIB))
  expect((await running.answer()).status).toBe(204)
})
