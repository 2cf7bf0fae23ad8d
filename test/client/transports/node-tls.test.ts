import { createPrivateKey } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { nodeTransport as create } from '../../../src/client/transports/node.ts'
import type { NodeTransportOptions } from '../../../src/client/transports/node.ts'
import type { Transport } from '../../../src/client/ports/transport.ts'
import { bytes } from '../../support/bytes.ts'
import { localhostCertificate as cert, localhostKey as key } from '../../conformance/certificate.ts'
import { asking, bytesSlice, chunksSlice, serve, serveSecurely } from './serving.ts'

function nodeTransport(options: NodeTransportOptions): Transport {
  const transport = create({ proxy: false, ...options })
  onTestFinished(() => transport.close())
  return transport
}

const greeting = () =>
  serveSecurely({ cert, key }, (req, res) => void req.resume().on('end', () => res.end('hello')))

test('a certificate of an unknown authority is refused with a hint, trusted when named or unchecked', async () => {
  const { url } = await greeting()
  await expect(nodeTransport({}).send(asking({ url }))).rejects.toMatchObject({
    code: 'network',
    isFinal: true,
    message: expect.stringContaining('its certificate is not signed by an authority known here'),
    hint: expect.stringContaining('CA certificate'),
    cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
  })
  expect((await nodeTransport({ ca: cert }).send(asking({ url }))).text).toBe('hello')
  expect((await nodeTransport({ rejectUnauthorized: false }).send(asking({ url }))).text).toBe('hello')
})

test('a certificate for another name is refused', async () => {
  const { url } = await greeting()
  const sending = nodeTransport({ ca: cert }).send(asking({ url, headers: { Host: 'files.example' } }))
  await expect(sending).rejects.toMatchObject({
    isFinal: true,
    message: expect.stringContaining('its certificate is for another name'),
  })
})

test('a client shows its certificate, with a key behind a passphrase', async () => {
  const { url } = await serveSecurely({ cert, key, ca: cert, requestCert: true }, (req, res) => {
    res.end(String((req.socket as TLSSocket).getPeerCertificate().subject.CN))
  })
  await expect(nodeTransport({ ca: cert }).send(asking({ url }))).rejects.toMatchObject({ code: 'network' })
  const passphrase = 'open sesame'
  const locked = createPrivateKey(key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase,
  })
  const transport = nodeTransport({ ca: cert, cert, key: locked, passphrase })
  expect((await transport.send(asking({ url }))).text).toBe('localhost')
  expect(() => create({ cert, key: locked, passphrase: 'wrong' })).toThrow(/decrypt/)
})

test('a server without TLS is told so', async () => {
  const { port } = await serve((_, res) => res.end())
  const sending = nodeTransport({}).send(asking({ url: `https://127.0.0.1:${port}/` }))
  await expect(sending).rejects.toMatchObject({
    isFinal: true,
    message: expect.stringContaining('it does not speak TLS'),
  })
})

test('a body goes out whole, an early answer is found, a redirect to http: is not followed', async () => {
  const { url } = await serveSecurely({ cert, key }, (req, res) => {
    if (req.method === 'GET') return res.writeHead(302, { Location: 'http://localhost/' }).end()
    if (req.method === 'POST') return res.writeHead(413, { Connection: 'close' }).end('too large')
    let size = 0
    req.on('data', (chunk: Buffer) => (size += chunk.length))
    return req.on('end', () => res.end(String(size)))
  })
  const transport = nodeTransport({ ca: cert })
  let sent = 0
  const body = bytesSlice(bytes(5_000_000))
  const response = await transport.send(asking({ method: 'PATCH', url, body, onSent: (n) => (sent = n) }))
  expect([response.text, sent]).toEqual(['5000000', 5_000_000])
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (;;) yield bytes(100_000)
  }
  const refused = await transport.send(asking({ method: 'POST', url, body: chunksSlice(1e12, chunks) }))
  expect(refused).toMatchObject({ status: 413, text: 'too large' })
  expect((await transport.send(asking({ url }))).status).toBe(302)
})
