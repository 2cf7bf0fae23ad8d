import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { nodeTransport as create } from '../../../src/client/transports/node.ts'
import type { Transport } from '../../../src/client/ports/transport.ts'
import { bytes } from '../../support/bytes.ts'
import { asking, bytesSlice, chunksSlice, deferred, serve, serveRaw } from './serving.ts'

function nodeTransport(): Transport {
  const transport = create({ proxy: false })
  onTestFinished(() => transport.close())
  return transport
}

const MIB = 1024 * 1024
const REFUSAL = 'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 9\r\n\r\ntoo large'

/** A source that could go on for ever, and tells when it was let go. */
function endless() {
  const closed = deferred()
  const piece = bytes(MIB)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield piece
    } finally {
      closed.resolve()
    }
  }
  return { body: chunksSlice(1e12, chunks), closed: closed.promise }
}

describe('an answer before the end of the body', () => {
  test('ends the sending and is returned, while the server does not read', async () => {
    const { url } = await serve((req, res) => {
      req.pause()
      res.writeHead(413, { 'Content-Type': 'text/plain' }).end('too large')
    })
    const { body, closed } = endless()
    const response = await nodeTransport().send(asking({ method: 'PATCH', url, body }))
    expect(response).toMatchObject({ status: 413, text: 'too large' })
    await closed
  })

  test('does not wait for a source that has nothing to give', async () => {
    const { url } = await serve((req, res) => void req.once('data', () => res.writeHead(409).end()))
    async function* chunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
      yield bytes(10)
      await once(signal, 'abort')
    }
    const response = await nodeTransport().send(
      asking({ method: 'PATCH', url, body: chunksSlice(1000, chunks) }),
    )
    expect(response.status).toBe(409)
  })

  test('is found although writing fails, however the server closes', async () => {
    const closings: ((socket: Socket) => void)[] = [
      (socket) => void socket.end(REFUSAL),
      (socket) => void socket.end(REFUSAL, () => socket.destroy()),
      (socket) => void socket.write(REFUSAL, () => socket.destroy()),
    ]
    for (const close of closings) {
      const { url } = await serveRaw((socket) => {
        let seen = 0
        socket.on('data', (data) => {
          seen += data.length
          if (seen < 3 * MIB) return
          socket.removeAllListeners('data').pause()
          close(socket)
        })
      })
      for (let i = 0; i < 10; i += 1) {
        const { body } = endless()
        const response = await nodeTransport().send(asking({ method: 'PATCH', url, body }))
        expect(response).toMatchObject({ status: 413, text: 'too large' })
      }
    }
  })

  test('is not mistaken for one when the last write is still being counted', async () => {
    const content = bytes(200_000)
    const server = await serve((req, res) => void req.resume().on('end', () => res.writeHead(204).end()))
    const transport = nodeTransport()
    for (let i = 0; i < 20; i += 1) {
      await transport.send(asking({ method: 'PATCH', url: server.url, body: bytesSlice(content) }))
    }
    expect(server.connections()).toBe(1)
  })

  test('without an answer a failed write is a network failure', async () => {
    const { url } = await serveRaw((socket) => void socket.once('data', () => socket.resetAndDestroy()))
    const sending = nodeTransport().send(asking({ method: 'PATCH', url, body: endless().body }))
    await expect(sending).rejects.toMatchObject({ code: 'network' })
  })
})
