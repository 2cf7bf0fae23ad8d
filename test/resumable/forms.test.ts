import { describe, expect, test } from 'vitest'
import { contentOf as bytesOf, seededRandom, sha256 } from '../e2e/support/content.ts'
import { cuttingProxy } from '../e2e/support/cutting-proxy.ts'
import { until } from '../e2e/support/until.ts'
import { FORMS } from './support/forms.ts'
import type { Answer, Met } from './support/handling.ts'
import { report } from './support/handling.ts'
import { served } from './support/served.ts'
import { tusJsUpload } from './support/tus-js.ts'

const MIB = 1024 * 1024
const SEED = Number(process.env['CARRYON_TEST_SEED'] ?? Date.now() % 1_000_000)
const content = bytesOf(7).slice(0, 20 * MIB)
const digest = sha256(content)
const small = bytesOf(8).slice(0, 100_000)

describe.each(FORMS)('$name', (form) => {
  test(`20 MiB over a bad line, seed ${SEED}, beside plain requests`, { timeout: 60_000 }, async () => {
    const server = await served(form, report)
    const proxy = await cuttingProxy({
      targetPort: server.port,
      random: seededRandom(SEED),
      cuts: 4,
      maxBytes: 12 * MIB,
    })
    const resumed = tusJsUpload(content, {
      endpoint: `http://127.0.0.1:${proxy.port}/photos?album=3&x=%2F`,
      retryDelays: Array.from({ length: 20 }, () => 10),
      headers: { 'Accept-Language': 'fy', Cookie: 'session=secret', Authorization: 'Bearer secret' },
    })
    const plain = await Promise.all(
      Array.from({ length: 5 }, () =>
        fetch(`${server.url}?album=4`, {
          method: 'POST',
          body: new Uint8Array(small),
          headers: { 'Content-Type': 'image/gif', Cookie: 'session=mine' },
        }),
      ),
    )
    for (const response of plain) {
      expect(response.status).toBe(201)
      expect(await response.json()).toMatchObject({
        method: 'POST',
        url: '/photos?album=4',
        bytes: small.length,
        sha256: sha256(small),
        headers: { 'content-type': 'image/gif', cookie: 'session=mine', 'content-length': '100000' },
      })
    }
    const done = await resumed
    const calls = server.met.filter(({ upload }) => upload !== undefined)
    expect(calls).toHaveLength(1)
    const [call] = calls
    expect(call).toMatchObject({
      method: 'POST',
      url: '/photos?album=3&x=%2F',
      bytes: content.length,
      sha256: digest,
      headers: {
        'content-type': 'image/png',
        'content-length': String(content.length),
        'accept-language': 'fy',
        host: `127.0.0.1:${proxy.port}`,
      },
      upload: {
        attempt: 1,
        metadata: { filename: 'some photo.png' },
        sizeBytes: content.length,
        owner: undefined,
        path: undefined,
      },
    })
    for (const name of ['cookie', 'authorization', 'tus-resumable', 'upload-length', 'upload-metadata'])
      expect(call?.headers).not.toHaveProperty(name)
    expect(done.url).toContain(`/photos/${call?.upload?.uploadId}`)
    expect(done.header('x-sha256')).toBe(digest)
    // The answer's content reaches a client that has not lost the answer; a HEAD brings only its fields.
    if (done.body !== '') expect(JSON.parse(done.body)).toMatchObject({ sha256: digest })
    expect(server.reported).toEqual([])
  })

  test('a client that loses the answer gets it again, and the handler is not called again', async () => {
    const server = await served(form, report)
    const { client, url } = server
    const upload = await client.create(url, small.length)
    const first = await client.patch(upload, 0, small)
    expect(first.status).toBe(201)
    expect(JSON.parse(first.body.toString())).toMatchObject({ sha256: sha256(small), method: 'POST' })
    expect(first.headers['upload-offset']).toBe(String(small.length))
    const head = await client.head(upload)
    expect([head.status, head.headers['upload-offset'], head.headers['x-sha256']]).toEqual([
      200,
      String(small.length),
      sha256(small),
    ])
    const again = await client.patch(upload, small.length, new Uint8Array(0))
    expect([again.status, again.body.equals(first.body), again.headers['content-type']]).toEqual([
      201,
      true,
      first.headers['content-type'],
    ])
    expect(server.met).toHaveLength(1)
  })

  test('a 5xx and an exception are not stored: the handler is called again', async () => {
    const answers: ((met: Met) => Answer)[] = [
      () => ({ status: 503, headers: { 'retry-after': '7' }, body: 'not now' }),
      () => {
        throw new Error('the password of the database is hunter2')
      },
      report,
    ]
    const server = await served(form, (met) => (answers.shift() ?? report)(met))
    const { client, url } = server
    const upload = await client.create(url, small.length)
    const busy = await client.patch(upload, 0, small)
    expect([busy.status, busy.headers['retry-after'], busy.body.toString()]).toEqual([503, '7', 'not now'])
    const failed = await client.patch(upload, small.length, new Uint8Array(0))
    expect(failed.status).toBe(500)
    if (form.ownErrors === undefined) {
      expect(failed.body.toString()).toBe(
        'ERR_HOOK_FAILED: The application could not decide about this request.\n',
      )
    }
    const done = await client.patch(upload, small.length, new Uint8Array(0))
    expect([done.status, done.headers['x-sha256']]).toEqual([201, sha256(small)])
    expect(server.met.map(({ upload: one }) => one?.attempt)).toEqual([1, 2, 3])
    expect(new Set(server.met.map(({ upload: one }) => one?.idempotencyKey)).size).toBe(1)
    expect(new Set(server.met.map(({ sha256: one }) => one))).toEqual(new Set([sha256(small)]))
    expect(server.reported.length).toBeGreaterThanOrEqual(2)
  })

  test('any other answer is stored, a refusal too', async () => {
    const server = await served(form, () => ({ status: 422, body: 'no photo' }))
    const { client, url } = server
    const upload = await client.create(url, small.length)
    for (const [offset, bytes] of [
      [0, small],
      [small.length, new Uint8Array(0)],
    ] as const) {
      const answer = await client.patch(upload, offset, bytes)
      expect([answer.status, answer.body.toString()]).toEqual([422, 'no photo'])
    }
    // A client that asks for its offset must not take what was refused for success.
    expect((await client.head(upload)).status).toBe(422)
    expect(server.met).toHaveLength(1)
  })

  test('an upload that comes with its creation: the Location is the upload, not what the handler made', async () => {
    const server = await served(form, (met) => ({ ...report(met), headers: { location: '/photos/17' } }))
    const upload = await server.client.createWith(server.url, small)
    expect(upload).toContain(`/photos/${server.met[0]?.upload?.uploadId}`)
    const later = await server.client.patch(upload, small.length, new Uint8Array(0))
    expect([later.status, later.headers['content-location']]).toEqual([201, '/photos/17'])
  })

  test('an empty upload', async () => {
    const server = await served(form, report)
    await server.client.create(server.url, 0)
    expect(server.met).toMatchObject([
      { bytes: 0, headers: { 'content-length': '0' }, upload: { sizeBytes: 0 } },
    ])
  })

  test('an unfinished call is taken up by the next start, without a client', async () => {
    const before = await served(form, () => ({ status: 500 }))
    const upload = await before.client.create(before.url, small.length)
    expect((await before.client.patch(upload, 0, small)).status).toBe(500)
    await before.close()
    const after = await served(form, report, { dir: before.dir })
    const call = await until('the handler is called', () => after.met[0])
    expect(call).toMatchObject({ sha256: sha256(small), upload: { attempt: 2 } })
    expect(call.upload?.idempotencyKey).toBe(before.met[0]?.upload?.idempotencyKey)
    const answer = await until('the answer is stored', async () => {
      const path = new URL(upload).pathname
      const head = await after.client.head(`${after.origin}${path}`)
      return head.status === 200 ? head : undefined
    })
    expect(answer.headers['x-sha256']).toBe(sha256(small))
    expect(after.met).toHaveLength(1)
  })

  test('other routes, and names below the route that are no uploads, are the app’s', async () => {
    const server = await served(form, report)
    expect(await (await fetch(`${server.origin}/other`)).text()).toBe('the rest of the app\n')
    const foreign = await server.client.ask({ method: 'HEAD', url: `${server.url}/${'a'.repeat(28)}` })
    expect(foreign.headers).not.toHaveProperty('tus-resumable')
    const ours = await server.client.head(`${server.url}/${'a'.repeat(28)}`)
    expect([ours.status, ours.headers['tus-resumable']]).toEqual([404, '1.0.0'])
  })
})
