import { expect, test } from 'vitest'
import type { Digests } from '../../src/core/ports/digest.ts'
import type { EngineOptions } from '../../src/core/engine.ts'
import { nodeDigests } from '../../src/node/digests.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import type { ServeOptions } from '../support/exchange.ts'
import { serve } from '../support/exchange.ts'
import { withFaults } from '../support/faults.ts'
import { rig } from '../support/rig.ts'

const ALWAYS = ['creation', 'creation-with-upload', 'creation-defer-length']
const CHECKSUM = ['checksum', 'checksum-trailer']
const CONCAT = ['concatenation', 'concatenation-unfinished']
const noDigests: Digests = { ...nodeDigests, algorithms: [] }

async function offered(
  engine: Partial<EngineOptions>,
  options: ServeOptions = {},
  readsTrailers = true,
): Promise<ReadonlyMap<string, string>> {
  const server = serve({ rig: rig(engine), ...options })
  const answer = await server.ask('OPTIONS', '/files/', { readsTrailers })
  expect(answer.status).toBe(204)
  return answer.headers
}

async function extensions(...what: Parameters<typeof offered>): Promise<string[]> {
  return ((await offered(...what)).get('tus-extension') ?? '').split(',').sort()
}

test('what is offered is computed from what is there', async () => {
  const all = [...ALWAYS, ...CHECKSUM, ...CONCAT, 'termination']
  expect(await extensions({})).toEqual([...all].sort())
  expect(await extensions({ limits: { expireAfterMs: 1000 } })).toEqual([...all, 'expiration'].sort())
  const without = async (names: readonly string[], ...what: Parameters<typeof extensions>): Promise<void> =>
    expect(await extensions(...what)).toEqual(all.filter((name) => !names.includes(name)).sort())
  await without(CHECKSUM, { digests: noDigests })
  await without(['checksum-trailer'], {}, {}, false)
  await without(['termination'], {}, { termination: false })
  await without(CONCAT, {}, { concatenation: false })
  await without(CONCAT, { store: withFaults(memoryStore(), { concatenate: undefined as never }) })
})

test('algorithms and the largest size are told where there are any', async () => {
  const plain = await offered({ digests: noDigests })
  expect(plain.has('tus-max-size')).toBe(false)
  expect(plain.has('tus-checksum-algorithm')).toBe(false)
  const full = await offered({
    limits: { maxSizeBytes: 1000 },
    digests: { ...nodeDigests, algorithms: ['sha1', 'md5'] },
  })
  expect(full.get('tus-max-size')).toBe('1000')
  expect(full.get('tus-checksum-algorithm')).toBe('sha1,md5')
  expect(full.get('tus-version')).toBe('1.0.0')
})

test('what is not offered is not done', async () => {
  const server = serve({
    rig: rig({ digests: noDigests }),
    termination: false,
    concatenation: false,
    download: false,
    methodOverride: false,
  })
  const upload = await server.create({ 'upload-length': '5' }, new Uint8Array(5))
  const deleted = await server.tus('DELETE', upload)
  expect([deleted.status, deleted.headers.get('allow')]).toEqual([405, 'OPTIONS, HEAD, PATCH'])
  expect((await server.tus('HEAD', upload)).status).toBe(200)
  const got = await server.ask('GET', upload)
  expect([got.status, got.headers.get('allow')]).toEqual([405, 'OPTIONS, HEAD, PATCH'])
  const partial = await server.tus('POST', '/files/', {
    headers: { 'upload-concat': 'partial', 'upload-length': '1' },
  })
  expect(partial.status).toBe(400)
  const overridden = await server.tus('POST', upload, { headers: { 'x-http-method-override': 'HEAD' } })
  expect(overridden.status).toBe(405)
  const checked = await server.tus('POST', '/files/', {
    headers: {
      'upload-length': '5',
      'content-type': 'application/offset+octet-stream',
      'upload-checksum': 'sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=',
    },
    body: new Uint8Array(5),
  })
  expect(checked.status).toBe(400)
})

test('any value of Tus-Resumable is fine to ask with (T-V6), at any of our paths (T-O7)', async () => {
  const server = serve()
  for (const target of ['/files/', '/files', `/files/${'x'.repeat(28)}`, '/files/..', '*']) {
    for (const version of ['1.0.0', '0.2.2', 'garbage']) {
      const answer = await server.ask('OPTIONS', target, { headers: { 'tus-resumable': version } })
      expect([answer.status, answer.headers.get('tus-version')]).toEqual([204, '1.0.0'])
    }
  }
})
