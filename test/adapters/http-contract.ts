import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { contentOf, sha256 } from '../e2e/support/content.ts'
import { until, within } from '../e2e/support/until.ts'
import type { Scene } from './support/scene.ts'
import { pathOf, TUS } from './support/scene.ts'
import { HELLO } from './support/stage.ts'
import { tusUpload } from './support/tus-upload.ts'

const MIB = 1024 * 1024
const content = contentOf(5)

/** One thing that every way to serve uploads must do alike. */
export interface HttpCase {
  readonly name: string
  run(scene: Scene): Promise<void>
}

const protocol: readonly HttpCase[] = [
  {
    name: 'OPTIONS says what the server can do, and only what this way of serving can',
    async run({ client, stage }) {
      const { status, headers } = await client.ask({ method: 'OPTIONS', path: '/files/' })
      expect(status).toBe(204)
      expect(headers['tus-version']).toBe('1.0.0')
      const extensions = String(headers['tus-extension']).split(',')
      expect(extensions).toEqual(expect.arrayContaining(['creation', 'creation-with-upload', 'checksum']))
      expect(extensions.includes('checksum-trailer')).toBe(stage.onNode)
    },
  },
  {
    name: 'a creation is answered with an address that works, with and without the last slash',
    async run(scene) {
      const answer = await scene.create(10, { 'Upload-Metadata': 'filename Y2F0' })
      expect(String(answer.headers.location).startsWith(`${scene.origin}/files/`)).toBe(true)
      expect(answer.headers['tus-resumable']).toBe('1.0.0')
      const { status, headers } = await scene.head(pathOf(answer))
      expect(status).toBe(200)
      expect(headers).toMatchObject({
        'upload-offset': '0',
        'upload-length': '10',
        'upload-metadata': 'filename Y2F0',
        'cache-control': 'no-store',
      })
      const bare = await scene.client.ask({
        method: 'POST',
        path: '/files',
        headers: { ...TUS, 'Upload-Length': 0 },
      })
      expect(bare.status).toBe(201)
    },
  },
  {
    name: 'a creation with the whole content',
    async run(scene) {
      const bytes = content.slice(0, 300_000)
      const answer = await scene.createWith(bytes)
      expect(answer.headers['upload-offset']).toBe('300000')
      expect(sha256((await scene.get(pathOf(answer))).body)).toBe(sha256(bytes))
    },
  },
  {
    name: 'an upload in pieces, one of them without a length',
    async run(scene) {
      const path = await scene.created(250_000)
      expect((await scene.patch(path, 0, content.slice(0, 100_000))).headers['upload-offset']).toBe('100000')
      const open = scene.beginPatch(path, 100_000)
      open.write(content.slice(100_000, 150_000))
      open.write(content.slice(150_000, 200_000))
      open.end()
      expect(await open.outcome).toMatchObject({ status: 204, headers: { 'upload-offset': '200000' } })
      expect(await scene.offset(path)).toBe(200_000)
      expect((await scene.patch(path, 200_000, content.slice(200_000, 250_000))).status).toBe(204)
      expect(sha256((await scene.get(path)).body)).toBe(sha256(content.slice(0, 250_000)))
    },
  },
  {
    name: 'a wrong offset is a 409 that says the right one',
    async run(scene) {
      const path = await scene.created(10)
      const answer = await scene.patch(path, 5, 'hello')
      expect(answer.status).toBe(409)
      expect(answer.headers['upload-offset']).toBe('0')
      expect(answer.body.toString()).toMatch(/^ERR_MISMATCHED_OFFSET: /)
      expect(await scene.offset(path)).toBe(0)
    },
  },
  {
    name: 'a wrong checksum is a 460 and stores nothing',
    async run(scene) {
      const path = await scene.created(5)
      const digest = (text: string): string => `sha1 ${createHash('sha1').update(text).digest('base64')}`
      const wrong = await scene.patch(path, 0, 'hello', { 'Upload-Checksum': digest('jello') })
      expect(wrong.status).toBe(460)
      expect(await scene.offset(path)).toBe(0)
      const right = await scene.patch(path, 0, 'hello', { 'Upload-Checksum': digest('hello') })
      expect(right.status).toBe(204)
    },
  },
  {
    name: 'DELETE ends an upload',
    async run(scene) {
      const path = await scene.created(10)
      expect((await scene.client.ask({ method: 'DELETE', path, headers: TUS })).status).toBe(204)
      expect((await scene.head(path)).status).toBe(410)
    },
  },
  {
    name: 'GET answers a range',
    async run(scene) {
      const path = pathOf(await scene.createWith(content.slice(0, 1000)))
      const { status, headers, body } = await scene.get(path, { Range: 'bytes=100-199' })
      expect(status).toBe(206)
      expect(headers['content-range']).toBe('bytes 100-199/1000')
      expect(body.equals(content.slice(100, 200))).toBe(true)
    },
  },
  {
    name: 'POST with a method override does what PATCH does',
    async run(scene) {
      const path = await scene.created(5)
      const headers = {
        ...TUS,
        'Content-Type': 'application/offset+octet-stream',
        'Upload-Offset': 0,
        'X-HTTP-Method-Override': 'PATCH',
      }
      const answer = await scene.client.ask({ method: 'POST', path, headers, body: 'hello' })
      expect(answer.status).toBe(204)
      expect((await scene.get(path)).body.toString()).toBe('hello')
    },
  },
  {
    name: 'web pages of other origins may read answers, preflights and errors',
    async run(scene) {
      const Origin = 'https://app.example'
      const path = await scene.created(10)
      const refused = await scene.patch(path, 5, 'hello', { Origin })
      expect(refused.status).toBe(409)
      expect(refused.headers['access-control-allow-origin']).toBe('*')
      expect(refused.headers['access-control-expose-headers']).toContain('Upload-Offset')
      const unknown = await scene.get('/files/nothing-of-that-name', { Origin })
      expect(unknown.status).toBe(404)
      expect(unknown.headers['access-control-allow-origin']).toBe('*')
      const preflight = await scene.client.ask({
        method: 'OPTIONS',
        path,
        headers: { Origin, 'Access-Control-Request-Method': 'PATCH' },
      })
      expect(preflight.headers['access-control-allow-methods']).toContain('PATCH')
    },
  },
]

const connections: readonly HttpCase[] = [
  {
    name: 'what came before the connection broke is kept, and the upload goes on',
    async run(scene) {
      const path = await scene.created(200_000)
      const open = scene.beginPatch(path, 0, 200_000)
      open.write(content.slice(0, 80_000))
      await scene.stored(path, 80_000)
      open.break()
      expect(await scene.offset(path)).toBe(80_000)
      expect((await scene.patch(path, 80_000, content.slice(80_000, 200_000))).status).toBe(204)
      expect(sha256((await scene.get(path)).body)).toBe(sha256(content.slice(0, 200_000)))
    },
  },
  {
    name: 'HEAD takes over from a request that stands still, within a second',
    async run(scene) {
      const path = await scene.created(200_000)
      const open = scene.beginPatch(path, 0, 200_000)
      open.write(content.slice(0, 80_000))
      await scene.stored(path, 80_000)
      const askedMs = performance.now()
      expect(await scene.offset(path)).toBe(80_000)
      expect(performance.now() - askedMs).toBeLessThan(1000)
      const outcome = await within('the old request is over', open.outcome)
      if (scene.stage.onNode) expect(outcome).toBe('broken')
      else expect(outcome).toMatchObject({ status: 409 })
      expect((await scene.patch(path, 80_000, content.slice(80_000, 200_000))).status).toBe(204)
    },
  },
  {
    name: 'a refusal reaches a client that is still sending',
    async run(scene) {
      const path = await scene.created(10 * MIB)
      const open = scene.beginPatch(path, 7, 8 * MIB)
      open.write(content.slice(0, MIB))
      const outcome = await within('an answer', open.outcome)
      expect(outcome).toMatchObject({ status: 409 })
      open.break()
      expect(await scene.offset(path)).toBe(0)
    },
  },
  {
    name: '10 MiB by tus-js-client arrive as they were sent',
    async run(scene) {
      const bytes = content.slice(0, 10 * MIB)
      const { httpStack } = scene
      const url = await tusUpload(bytes, {
        endpoint: `${scene.origin}/files/`,
        chunkSize: 4 * MIB,
        ...(httpStack === undefined ? {} : { httpStack }),
      })
      const { status, headers, body } = await scene.get(new URL(url).pathname)
      expect(status).toBe(200)
      expect(headers['content-disposition']).toContain('ten.bin')
      expect(sha256(body)).toBe(sha256(bytes))
    },
  },
]

const surroundings: readonly HttpCase[] = [
  {
    name: 'paths that are not ours are left to the app',
    async run(scene) {
      const hello = await scene.get('/hello')
      expect(hello.body.toString()).toBe(HELLO)
      const similar = await scene.get('/filesystem')
      expect(similar.status).toBe(404)
      expect(similar.headers['tus-resumable']).toBeUndefined()
    },
  },
  {
    name: 'the body parsers of the app work as they did',
    async run(scene) {
      const headers = { 'Content-Type': 'application/json' }
      const answer = await scene.client.ask({ method: 'POST', path: '/echo', headers, body: '{"a":[1]}' })
      expect(JSON.parse(answer.body.toString())).toEqual({ a: [1] })
    },
  },
  {
    name: 'nothing of all this was reported as a fault of the server',
    async run({ reported }) {
      expect(reported).toEqual([])
    },
  },
]

/** Black-box cases in the order in which they are run over one stage. */
export const HTTP_CASES: readonly HttpCase[] = [...protocol, ...connections, ...surroundings]

/** Cases for an app that reads every body before Carryon gets to it. */
export const CONSUMED_CASES: readonly HttpCase[] = [
  {
    name: 'a parsed-away body is a 500 at once that says what to change, and is reported',
    async run(scene) {
      const path = await scene.created(5)
      const askedMs = performance.now()
      const answer = await scene.patch(path, 0, 'hello', { Origin: 'https://app.example' })
      expect(performance.now() - askedMs).toBeLessThan(1000)
      expect(answer.status).toBe(500)
      expect(answer.body.toString()).toMatch(/^ERR_BODY_CONSUMED: .*express\.json\(\).*\n$/)
      expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8')
      expect(answer.headers['access-control-allow-origin']).toBe('*')
      expect(scene.reported).toMatchObject([{ code: 'ERR_BODY_CONSUMED' }])
      expect(await scene.offset(path)).toBe(0)
    },
  },
  {
    name: 'also without a length',
    async run(scene) {
      const path = await scene.created(5)
      const open = scene.beginPatch(path, 0)
      open.write(Buffer.from('hello'))
      open.end()
      expect(await within('an answer', open.outcome)).toMatchObject({ status: 500 })
      expect(await scene.offset(path)).toBe(0)
    },
  },
  {
    name: 'a creation whose content was parsed away leaves no upload behind',
    async run(scene) {
      const happened: string[] = []
      const ignore = scene.uploads.engine.observe(({ type }) => happened.push(type))
      expect((await scene.createWith(content.slice(0, 100_000))).status).toBe(500)
      expect(happened).toEqual([])
      // The same without content is seen.
      expect((await scene.create(5)).status).toBe(201)
      expect(happened).toEqual(['post-create'])
      ignore()
    },
  },
  {
    name: 'requests without content work nevertheless',
    async run(scene) {
      const path = await scene.created(0)
      expect(await until('an offset', () => scene.offset(path))).toBe(0)
      expect((await scene.patch(path, 0, '')).status).toBe(204)
      expect((await scene.client.ask({ method: 'DELETE', path, headers: TUS })).status).toBe(204)
    },
  },
]
