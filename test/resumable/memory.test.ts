import { expect, test } from 'vitest'
import { contentOf, sha256 } from '../e2e/support/content.ts'
import { HttpClient } from '../e2e/support/http-client.ts'
import { temporaryDirectory } from '../e2e/support/temporary-directory.ts'
import { HandlerProcess } from './support/handler-process.ts'

const MIB = 1024 * 1024

test('200 MiB go through a slow handler without lying in memory', { timeout: 120_000 }, async () => {
  const content = contentOf(11).slice(0, 200 * MIB)
  const server = await HandlerProcess.start(await temporaryDirectory(), 'slow')
  const client = new HttpClient()
  // What the process needs by itself, and for a small upload.
  const small = content.subarray(0, MIB)
  await client.patch(await client.create(server.url, small.length), 0, small)
  const before = await server.heard('answered')
  server.told.splice(0, server.told.length, ...server.told.filter(({ kind }) => kind === 'ready'))
  const upload = await client.create(server.url, content.length)
  const answer = await client.patch(upload, 0, content)
  client.close()
  expect(answer.status).toBe(201)
  expect(JSON.parse(answer.body.toString())).toMatchObject({ sha256: sha256(content), attempt: 1 })
  const after = await server.heard('answered')
  const grownBytes = (after.maxRssBytes ?? Infinity) - (before.maxRssBytes ?? 0)
  expect(grownBytes).toBeLessThan(100 * MIB)
})
