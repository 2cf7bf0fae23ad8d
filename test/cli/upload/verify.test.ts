import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { nodePlatform } from '../../../src/client/node.ts'
import { expectComplete, verifyContent } from '../../../src/cli/upload/verify.ts'

const content = randomBytes(100_000)
const sha256 = createHash('sha256').update(content).digest()
const servers: Server[] = []

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/files/1`
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

const target = { platform: nodePlatform(), options: { shouldRetry: () => false } }
const repr = (digest: Buffer): string => `sha-512=:AAAA:, sha-256=:${digest.toString('base64')}:`

test('the digest of the server is enough: nothing is read back', async () => {
  const asked: (string | undefined)[] = []
  const url = await serve(({ headers }, response) => {
    asked.push(`${headers.range} ${String(headers['want-repr-digest'])}`)
    response.writeHead(206, { 'Repr-Digest': repr(sha256) }).end('x')
  })
  await expect(verifyContent(target, url, sha256)).resolves.toBe(
    'verified: the digest of the server is the same',
  )
  expect(asked).toEqual(['bytes=0-0 sha-256=10'])
})

test('another digest is an error that says what to do', async () => {
  const url = await serve((_, response) =>
    response.writeHead(206, { 'Repr-Digest': repr(Buffer.alloc(32)) }).end('x'),
  )
  await expect(verifyContent(target, url, sha256)).rejects.toThrow(
    /SHA-256 differs; delete it and send it again/,
  )
})

test('without a digest the upload is read back', async () => {
  const right = await serve((_, response) => response.end(content))
  await expect(verifyContent(target, right, sha256)).resolves.toMatch(/gives no digest, so it was read back/)
  const wrong = await serve((_, response) => response.end(content.subarray(1)))
  await expect(verifyContent(target, wrong, sha256)).rejects.toThrow(/SHA-256 differs/)
})

test('a server that gives nothing back is no success', async () => {
  const url = await serve((_, response) => response.writeHead(405).end())
  await expect(verifyContent(target, url, sha256)).rejects.toThrow(
    /^sent, but not verified: the server gives no digest and cannot be read: .*405/,
  )
})

test('--expect-complete believes what the server says', async () => {
  const fields = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '10' }
  const whole = await serve((_, response) =>
    response.writeHead(200, { ...fields, 'Upload-Offset': '10' }).end(),
  )
  await expect(expectComplete(target, whole, 10)).resolves.toBe('the server confirms all 10 bytes')
  const half = await serve((_, response) =>
    response.writeHead(200, { ...fields, 'Upload-Offset': '5' }).end(),
  )
  await expect(expectComplete(target, half, 10)).rejects.toThrow(
    'the server has 5 of 10 bytes and the length 10',
  )
  await expect(expectComplete(target, whole, 11)).rejects.toThrow('the upload is not complete')
})
