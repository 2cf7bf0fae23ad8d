import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { fetchTransport } from '../../../src/client/transports/fetch-streaming.ts'
import { bytes } from '../../support/bytes.ts'
import { asking, blobSlice, bytesSlice, chunksSlice, deferred, serve, serveRaw } from './serving.ts'

const digest = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')
const transport = fetchTransport()

const digesting = () =>
  serve((req, res) => {
    const hash = createHash('sha256')
    req.on('data', (chunk: Buffer) => hash.update(chunk))
    req.on('end', () => res.end(`${req.method} ${req.headers['content-length']} ${hash.digest('hex')}`))
    req.on('error', () => undefined)
  })

/** Yields the same memory again and again, as files do. */
function reusing(content: Uint8Array) {
  return async function* chunks(): AsyncGenerator<Uint8Array> {
    const shared = Buffer.alloc(1_000_000)
    for (let at = 0; at < content.length; at += shared.length) {
      const part = content.subarray(at, at + shared.length)
      shared.set(part)
      yield shared.subarray(0, part.length)
      shared.fill(0)
    }
  }
}

describe('an exchange', () => {
  test('brings method, headers and answer over', async () => {
    const { url } = await serve((req, res) => {
      res
        .writeHead(201, { 'Upload-Offset': '7' })
        .end(`${req.method} ${String(req.headers['tus-resumable'])}`)
    })
    const response = await transport.send(
      asking({ method: 'POST', url, headers: { 'Tus-Resumable': '1.0.0' } }),
    )
    expect(response).toMatchObject({ status: 201, text: 'POST 1.0.0', url })
    expect(response.header('upload-OFFSET')).toBe('7')
    expect(response.header('Location')).toBeUndefined()
    expect(transport.reportsSent).toBe(false)
  })

  test('sends bodies of every kind with their length', async () => {
    const { url } = await digesting()
    const content = bytes(3_000_000)
    const bodies = [
      bytesSlice(content),
      blobSlice(new Blob([content.slice()])),
      chunksSlice(content.length, reusing(content)),
    ]
    for (const body of bodies) {
      const { text } = await transport.send(asking({ method: 'PATCH', url, body }))
      expect(text).toBe(`PATCH 3000000 ${digest(content)}`)
    }
  })

  test('streams what is too large to gather', async () => {
    const { url } = await digesting()
    const content = bytes(20_000_000)
    const body = chunksSlice(content.length, reusing(content))
    const { text } = await transport.send(asking({ method: 'PATCH', url, body }))
    expect(text.split(' ')[2]).toBe(digest(content))
  })

  test('hands an answer out in pieces, as fast as they are taken', async () => {
    const content = bytes(1_000_000)
    const { url } = await serve((_, res) => res.end(content))
    const hash = createHash('sha256')
    let isBusy = false
    const response = await transport.send(
      asking({
        url,
        async onData(chunk, head) {
          expect([isBusy, head.status]).toEqual([false, 200])
          isBusy = true
          await new Promise(setImmediate)
          hash.update(chunk)
          isBusy = false
        },
      }),
    )
    expect([response.text, hash.digest('hex')]).toEqual(['', digest(content)])
  })

  test('reads 64 KiB of an endless text', async () => {
    const { url } = await serve((_, res) => {
      const more = (): void =>
        void (res.write('x'.repeat(10_000)) ? setImmediate(more) : res.once('drain', more))
      more()
    })
    expect((await transport.send(asking({ url }))).text).toHaveLength(65_536)
  })

  test('follows redirects of GET, not those of POST', async () => {
    const { url } = await serve((req, res) => {
      if (req.url === '/') res.writeHead(307, { Location: '/b' }).end()
      else res.end(req.url)
    })
    expect(await transport.send(asking({ url }))).toMatchObject({ text: '/b', url: `${url}b` })
    expect((await transport.send(asking({ method: 'POST', url }))).status).toBe(307)
  })
})

describe('failures', () => {
  test('no answer and a broken answer are network failures', async () => {
    const { url } = await serveRaw((socket) => void socket.once('data', () => socket.destroy()))
    await expect(transport.send(asking({ url }))).rejects.toMatchObject({ code: 'network' })
    const broken = await serveRaw((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc'))
    })
    await expect(transport.send(asking({ url: broken.url }))).rejects.toMatchObject({ code: 'network' })
  })

  test.each([1000, 30_000_000])('a source of %i bytes that fails is told as such', async (sizeBytes) => {
    const { url } = await digesting()
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield bytes(500)
      throw new Error('i/o error, read')
    }
    const sending = transport.send(asking({ method: 'PATCH', url, body: chunksSlice(sizeBytes, chunks) }))
    await expect(sending).rejects.toMatchObject({
      code: 'source',
      message: expect.stringContaining('i/o error'),
    })
  })

  test('a failure of who takes the pieces is passed on as it is', async () => {
    const { url } = await serve((_, res) => res.end(bytes(100_000)))
    const full = new Error('disk full')
    await expect(transport.send(asking({ url, onData: () => Promise.reject(full) }))).rejects.toBe(full)
  })

  test('abort rejects with the reason and lets the source go', async () => {
    const started = deferred()
    const closed = deferred()
    const { url } = await serve(
      (req) =>
        void req
          .on('error', () => undefined)
          .once('data', started.resolve)
          .resume(),
    )
    async function* chunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          signal.throwIfAborted()
          yield bytes(65_536)
          await new Promise(setImmediate)
        }
      } finally {
        closed.resolve()
      }
    }
    const controller = new AbortController()
    const { signal } = controller
    const sending = transport.send(asking({ method: 'PATCH', url, body: chunksSlice(1e12, chunks), signal }))
    await started.promise
    controller.abort(new Error('paused'))
    await expect(sending).rejects.toThrow('paused')
    await closed.promise
    await expect(transport.send(asking({ url, signal }))).rejects.toThrow('paused')
  })
})
