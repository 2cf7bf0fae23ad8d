import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { nodeTransport as create } from '../../../src/client/transports/node.ts'
import type { NodeTransportOptions } from '../../../src/client/transports/node.ts'
import type { Transport } from '../../../src/client/ports/transport.ts'
import { bytes } from '../../support/bytes.ts'
import { asking, blobSlice, bytesSlice, chunksSlice, deferred, serve, serveRaw } from './serving.ts'

function nodeTransport(options: NodeTransportOptions = { proxy: false }): Transport {
  const transport = create(options)
  onTestFinished(() => transport.close())
  return transport
}

const digest = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

async function digestOf(message: IncomingMessage): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of message) hash.update(chunk as Uint8Array)
  return hash.digest('hex')
}

describe('an exchange', () => {
  test('brings method, path and headers over and the answer back', async () => {
    const { url } = await serve((req, res) => {
      res.writeHead(201, { 'Upload-Offset': '7', Vary: ['a', 'b'] })
      res.end(`${req.method} ${req.url} ${String(req.headers['tus-resumable'])}`)
    })
    const response = await nodeTransport().send(
      asking({ method: 'OPTIONS', url: `${url}files?x=1`, headers: { 'Tus-Resumable': '1.0.0' } }),
    )
    expect(response).toMatchObject({ status: 201, text: 'OPTIONS /files?x=1 1.0.0', url: `${url}files?x=1` })
    expect(response.header('upload-OFFSET')).toBe('7')
    expect(response.header('Vary')).toBe('a, b')
    expect(response.header('Location')).toBeUndefined()
  })

  test('keeps its connection for the next one, with a body of any kind', async () => {
    const content = bytes(3_000_000)
    const server = await serve((req, res) => {
      const length = req.headers['content-length']
      void digestOf(req).then((hash) => res.end(`${length} ${req.headers['transfer-encoding']} ${hash}`))
    })
    const transport = nodeTransport()
    async function* chunks(): AsyncGenerator<Uint8Array> {
      const shared = new Uint8Array(700_000)
      for (let at = 0; at < content.length; at += shared.length) {
        const part = content.subarray(at, at + shared.length)
        shared.set(part)
        yield shared.subarray(0, part.length)
        // Used again as soon as the next one is asked for: what is not sent by then is lost.
        shared.fill(0)
        await new Promise(setImmediate)
      }
    }
    const bodies = [
      bytesSlice(content),
      blobSlice(new Blob([content.slice()])),
      chunksSlice(content.length, chunks),
    ]
    for (const body of bodies) {
      const sent: number[] = []
      const response = await transport.send(
        asking({ method: 'PATCH', url: server.url, body, onSent: (n) => sent.push(n) }),
      )
      expect(response.text).toBe(`${content.length} undefined ${digest(content)}`)
      expect(sent.at(-1)).toBe(content.length)
      expect(sent).toEqual([...sent].sort((a, b) => a - b))
    }
    expect(server.connections()).toBe(1)
  })

  test('many small bodies need one connection', async () => {
    const server = await serve((req, res) => void req.resume().on('end', () => res.writeHead(204).end()))
    const transport = nodeTransport()
    for (let i = 0; i < 50; i += 1) {
      let sent = 0
      const body = bytesSlice(bytes(4096))
      await transport.send(asking({ method: 'POST', url: server.url, body, onSent: (n) => (sent = n) }))
      expect(sent).toBe(4096)
    }
    expect(server.connections()).toBe(1)
  })

  test('says Content-Length: 0 where a body could be', async () => {
    const { url } = await serve((req, res) => res.end(String(req.headers['content-length'])))
    const transport = nodeTransport()
    expect((await transport.send(asking({ method: 'POST', url }))).text).toBe('0')
    expect((await transport.send(asking({ method: 'PATCH', url, body: bytesSlice(bytes(0)) }))).text).toBe(
      '0',
    )
    expect((await transport.send(asking({ method: 'DELETE', url }))).text).toBe('undefined')
  })

  test('hands an answer out in pieces, as fast as they are taken', async () => {
    const content = bytes(2_000_000)
    const { url } = await serve((_, res) => res.end(content))
    const hash = createHash('sha256')
    let isBusy = false
    const response = await nodeTransport().send(
      asking({
        url,
        async onData(chunk, head) {
          expect(isBusy).toBe(false)
          expect(head.status).toBe(200)
          isBusy = true
          await new Promise(setImmediate)
          hash.update(chunk)
          isBusy = false
        },
      }),
    )
    expect(response.text).toBe('')
    expect(hash.digest('hex')).toBe(digest(content))
  })

  test('a failure of who takes the pieces is passed on as it is', async () => {
    const { url } = await serve((_, res) => res.end(bytes(100_000)))
    const full = new Error('disk full')
    const sending = nodeTransport().send(asking({ url, onData: () => Promise.reject(full) }))
    await expect(sending).rejects.toBe(full)
  })

  test('reads 64 KiB of an endless text', async () => {
    const { url } = await serve((_, res) => {
      const more = (): void =>
        void (res.write('x'.repeat(10_000)) ? setImmediate(more) : res.once('drain', more))
      more()
    })
    expect((await nodeTransport().send(asking({ url }))).text).toHaveLength(65_536)
  })

  test('speaks over a Unix socket', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'carryon-'))
    const socketPath = join(dir, 'socket')
    const server = createServer((req, res) => res.end(req.headers.host))
    await new Promise<void>((resolve) => void server.listen(socketPath, resolve))
    onTestFinished(async () => {
      await new Promise((resolve) => server.close(resolve))
      await rm(dir, { recursive: true })
    })
    const transport = create({ socketPath })
    expect((await transport.send(asking({ url: 'http://inside/' }))).text).toBe('inside')
    await transport.close()
    await transport.close()
  })
})

describe('a body that is not what it should be', () => {
  const draining = () =>
    serve(
      (req, res) =>
        void req
          .on('error', () => undefined)
          .resume()
          .on('end', () => res.end()),
    )

  test('a source that fails ends the request and the process lives on', async () => {
    const cut = deferred()
    const { url } = await serve((req) => {
      req.on('error', () => undefined).on('close', cut.resolve)
      req.resume()
    })
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield bytes(1000)
      throw Object.assign(new Error('i/o error, read'), { code: 'EIO' })
    }
    const sending = nodeTransport().send(asking({ method: 'PATCH', url, body: chunksSlice(5000, chunks) }))
    await expect(sending).rejects.toMatchObject({ name: 'TransferError', code: 'source' })
    await expect(sending).rejects.toThrow('i/o error')
    await cut.promise
  })

  test.each([
    ['too few', 900],
    ['too many', 1100],
  ])('%s bytes are a failure of the source', async (_, sizeBytes) => {
    const { url } = await draining()
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 10; i += 1) yield bytes(sizeBytes / 10)
    }
    const sending = nodeTransport().send(asking({ method: 'PATCH', url, body: chunksSlice(1000, chunks) }))
    await expect(sending).rejects.toMatchObject({ code: 'source' })
  })
})

describe('abort', () => {
  test('rejects with the reason and cuts the connection; the source is let go', async () => {
    const started = deferred()
    const cut = deferred()
    const closed = deferred()
    const { url } = await serve((req) => {
      req.on('error', () => undefined).on('close', cut.resolve)
      req.once('data', started.resolve)
    })
    const controller = new AbortController()
    async function* chunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          signal.throwIfAborted()
          yield bytes(65_536)
        }
      } finally {
        closed.resolve()
      }
    }
    let sent = 0
    const sending = nodeTransport().send(
      asking({
        method: 'PATCH',
        url,
        body: chunksSlice(1e9, chunks),
        signal: controller.signal,
        onSent: (n) => (sent = n),
      }),
    )
    await started.promise
    const reason = new Error('paused')
    controller.abort(reason)
    const sentThen = sent
    await expect(sending).rejects.toBe(reason)
    await Promise.all([cut.promise, closed.promise])
    expect(sent).toBe(sentThen)
  })

  test('works while an answer is taken', async () => {
    const { url } = await serve((_, res) => void res.write(bytes(1000)))
    const controller = new AbortController()
    const never = new Promise<void>(() => undefined)
    const sending = nodeTransport().send(
      asking({
        url,
        signal: controller.signal,
        onData() {
          controller.abort(new Error('enough'))
          return never
        },
      }),
    )
    await expect(sending).rejects.toThrow('enough')
  })

  test('before the start nothing is sent', async () => {
    const server = await serve((_, res) => res.end())
    const sending = nodeTransport().send(
      asking({ url: server.url, signal: AbortSignal.abort(new Error('no')) }),
    )
    await expect(sending).rejects.toThrow('no')
    expect(server.connections()).toBe(0)
  })
})

describe('redirects', () => {
  test('GET follows them, and takes no secrets to another origin', async () => {
    const other = await serve((req, res) => {
      res.end(`${req.headers.authorization} ${req.headers.cookie} ${String(req.headers['x-own'])}`)
    })
    const { url } = await serve((req, res) => {
      if (req.url === '/a') res.writeHead(302, { Location: '/b' }).end('going to b')
      else res.writeHead(307, { Location: `${other.url}c` }).end('going to c')
    })
    const headers = { Authorization: 'Bearer x', Cookie: 'a=b', 'X-Own': '1' }
    const pieces: string[] = []
    const response = await nodeTransport().send(asking({ url: `${url}a`, headers }))
    expect(response).toMatchObject({ status: 200, url: `${other.url}c`, text: 'undefined undefined 1' })
    await nodeTransport().send(
      asking({ url: `${url}a`, onData: (chunk) => void pieces.push(Buffer.from(chunk).toString()) }),
    )
    expect(pieces.join('')).toBe('undefined undefined undefined')
  })

  test('stay secret within an origin, and round in circles they end', async () => {
    let requests = 0
    const { url } = await serve((req, res) => {
      requests += 1
      expect(req.headers.authorization).toBe('Bearer x')
      res.writeHead(301, { Location: '/again' }).end()
    })
    const sending = nodeTransport().send(
      asking({ method: 'HEAD', url, headers: { Authorization: 'Bearer x' } }),
    )
    await expect(sending).rejects.toMatchObject({ code: 'protocol' })
    expect(requests).toBe(6)
  })

  test('of other methods are answers', async () => {
    const { url } = await serve((_, res) => res.writeHead(308, { Location: '/b' }).end())
    expect(await nodeTransport().send(asking({ method: 'POST', url }))).toMatchObject({ status: 308, url })
  })
})

describe('connections that break', () => {
  test('a kept connection that the server closed is replaced', async () => {
    let requests = 0
    const server = await serveRaw((socket) => {
      socket.on('data', () => {
        requests += 1
        // The second request on a connection finds it gone.
        if (server.connections() === 1 && requests === 2) socket.resetAndDestroy()
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      })
    })
    const transport = nodeTransport()
    await transport.send(asking({ method: 'HEAD', url: server.url }))
    const response = await transport.send(asking({ method: 'HEAD', url: server.url }))
    expect(response.status).toBe(200)
    expect([server.connections(), requests]).toEqual([2, 3])
  })

  test('a new one that is cut is a network failure', async () => {
    const { url } = await serveRaw((socket) => void socket.once('data', () => socket.resetAndDestroy()))
    await expect(nodeTransport().send(asking({ url }))).rejects.toMatchObject({ code: 'network', url })
  })

  test('a body that was sent is not sent again', async () => {
    let requests = 0
    const server = await serveRaw((socket) => {
      let seen = ''
      socket.on('data', (data) => {
        seen += data.toString('latin1')
        if (!seen.endsWith('\r\n\r\nx')) return
        seen = ''
        requests += 1
        if (requests === 2) socket.resetAndDestroy()
        else socket.write('HTTP/1.1 204 No Content\r\n\r\n')
      })
    })
    const transport = nodeTransport()
    const patch = () =>
      asking({ method: 'PATCH', url: server.url, body: bytesSlice(new TextEncoder().encode('x')) })
    await transport.send(patch())
    await expect(transport.send(patch())).rejects.toMatchObject({ code: 'network' })
    expect(requests).toBe(2)
  })

  test.each([
    ['with a length', 'Content-Length: 100\r\n\r\nabc'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('an answer %s that breaks off is a network failure', async (_, rest) => {
    const { url } = await serveRaw((socket) => {
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${rest}`))
    })
    await expect(nodeTransport().send(asking({ url }))).rejects.toMatchObject({ code: 'network' })
    const sending = nodeTransport().send(asking({ url, onData: () => undefined }))
    await expect(sending).rejects.toMatchObject({ code: 'network' })
  })

  test('what is not HTTP is told so', async () => {
    const { url } = await serveRaw((socket) => void socket.end('220 ftp.example.org ready\r\n'))
    await expect(nodeTransport().send(asking({ url }))).rejects.toThrow('its answer is not HTTP')
  })

  test('refused connections and unknown names say what to look at', async () => {
    const { url, server } = await serve(() => undefined)
    await new Promise((resolve) => server.close(resolve))
    await expect(nodeTransport().send(asking({ url }))).rejects.toMatchObject({
      code: 'network',
      message: `no answer from ${new URL(url).host}: nothing listens there`,
      hint: expect.stringContaining('running'),
      cause: { code: 'ECONNREFUSED' },
    })
    const unknown = nodeTransport().send(asking({ url: 'http://nowhere.invalid/' }))
    await expect(unknown).rejects.toMatchObject({
      isFinal: undefined,
      message: expect.stringContaining('no answer from nowhere.invalid: the name'),
      hint: expect.any(String),
    })
  })
})
