import { request as forward } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { nodeTransport as create } from '../../../src/client/transports/node.ts'
import type { NodeTransportOptions } from '../../../src/client/transports/node.ts'
import { proxyFromEnvironment } from '../../../src/client/transports/node-proxy.ts'
import type { Transport } from '../../../src/client/ports/transport.ts'
import { bytes } from '../../support/bytes.ts'
import { localhostCertificate as cert, localhostKey as key } from '../../conformance/certificate.ts'
import type { Serving } from './serving.ts'
import { asking, bytesSlice, deferred, serve, serveSecurely } from './serving.ts'

function nodeTransport(options: NodeTransportOptions): Transport {
  const transport = create(options)
  onTestFinished(() => transport.close())
  return transport
}

interface Proxy extends Serving {
  /** Method, target and credentials of each request. */
  readonly asked: string[]
}

/** A forward proxy: absolute form for `http:`, tunnels for `https:`. */
async function proxying(isSecure = false): Promise<Proxy> {
  const asked: string[] = []
  const note = (req: IncomingMessage): void => {
    const credentials = req.headers['proxy-authorization']?.replace('Basic ', '') ?? ''
    asked.push(
      `${req.method} ${req.url} ${req.headers.host} ${Buffer.from(credentials, 'base64').toString()}`,
    )
  }
  const listener: Parameters<typeof serve>[0] = (req, res) => {
    note(req)
    const onward = forward(req.url ?? '', { method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(res)
    })
    req.pipe(onward)
  }
  const serving = isSecure ? await serveSecurely({ cert, key }, listener) : await serve(listener)
  serving.server.on('connect', (req: IncomingMessage, socket: Duplex) => {
    note(req)
    const [, port] = (req.url ?? '').split(':')
    const onward = connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      socket.pipe(onward).pipe(socket)
    })
    socket.on('error', () => onward.destroy())
    onward.on('error', () => socket.destroy())
  })
  return { ...serving, asked }
}

const counting = (prefix: string): Parameters<typeof serve>[0] => {
  return (req, res) => {
    let size = 0
    req.on('data', (chunk: Buffer) => (size += chunk.length))
    req.on('end', () => res.end(`${prefix} ${req.headers.host} ${req.url} ${size}`))
  }
}

describe('an http: address', () => {
  test('goes through the proxy in absolute form, over one connection', async () => {
    const { url, port } = await serve(counting('plain'))
    const proxy = await proxying()
    const transport = nodeTransport({ proxy: `http://user:p%40ss@127.0.0.1:${proxy.port}` })
    const body = bytesSlice(bytes(300_000))
    const text = `plain 127.0.0.1:${port} /files?a=b 300000`
    for (let i = 0; i < 2; i += 1) {
      expect(await transport.send(asking({ method: 'POST', url: `${url}files?a=b`, body }))).toMatchObject({
        text,
      })
    }
    expect(proxy.asked[0]).toBe(`POST ${url}files?a=b 127.0.0.1:${port} user:p@ss`)
    expect(proxy.connections()).toBe(1)
  })

  test('goes through a proxy that speaks TLS', async () => {
    const { url } = await serve(counting('plain'))
    const proxy = await proxying(true)
    const transport = nodeTransport({ proxy: proxy.url, ca: cert })
    expect((await transport.send(asking({ url }))).text).toMatch(/^plain /)
    expect(proxy.asked).toHaveLength(1)
  })
})

describe('an https: address', () => {
  test.each([false, true])('goes through a tunnel that is kept (proxy with TLS: %s)', async (isSecure) => {
    const { url, port } = await serveSecurely({ cert, key }, counting('secure'))
    const proxy = await proxying(isSecure)
    const transport = nodeTransport({ proxy: proxy.url.replace('://', '://user:secret@'), ca: cert })
    const body = bytesSlice(bytes(3_000_000))
    for (let i = 0; i < 2; i += 1) {
      const response = await transport.send(asking({ method: 'PATCH', url, body }))
      expect(response.text).toBe(`secure localhost:${port} / 3000000`)
    }
    expect(proxy.asked).toEqual([`CONNECT localhost:${port} localhost:${port} user:secret`])
  })

  test('a tunnel that is refused is a network failure with the status', async () => {
    const proxy = await serve(() => undefined)
    proxy.server.on('connect', (_: IncomingMessage, socket: Duplex) => {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n')
    })
    const transport = nodeTransport({ proxy: proxy.url })
    await expect(transport.send(asking({ url: 'https://files.example/' }))).rejects.toMatchObject({
      code: 'network',
      status: 407,
      hint: expect.stringContaining('user and password'),
    })
  })

  test('a proxy that is not there is named', async () => {
    const gone = await serve(() => undefined)
    await new Promise((resolve) => gone.server.close(resolve))
    const transport = nodeTransport({ proxy: gone.url })
    for (const url of ['https://files.example/', 'http://files.example/']) {
      await expect(transport.send(asking({ url }))).rejects.toMatchObject({
        code: 'network',
        message: `no answer from the proxy 127.0.0.1:${gone.port}: nothing listens there`,
      })
    }
  })

  test('abort ends the wait for a tunnel', async () => {
    const asked = deferred()
    const cut = deferred()
    const proxy = await serve(() => undefined)
    proxy.server.on('connect', (_: IncomingMessage, socket: Duplex) => {
      socket.on('error', () => undefined).on('close', () => cut.resolve())
      socket.on('end', () => socket.destroy()).resume()
      asked.resolve()
    })
    const controller = new AbortController()
    const transport = nodeTransport({ proxy: proxy.url })
    const sending = transport.send(asking({ url: 'https://files.example/', signal: controller.signal }))
    await asked.promise
    controller.abort(new Error('stop'))
    await expect(sending).rejects.toThrow('stop')
    await cut.promise
  })
})

test('the environment is asked for each request, unless told otherwise', async () => {
  const { url } = await serve(counting('plain'))
  const proxy = await proxying()
  vi.stubEnv('http_proxy', proxy.url)
  onTestFinished(() => void vi.unstubAllEnvs())
  const transport = nodeTransport({})
  await transport.send(asking({ url }))
  await nodeTransport({ proxy: false }).send(asking({ url }))
  expect(proxy.asked).toHaveLength(1)
  vi.stubEnv('no_proxy', '127.0.0.1')
  await transport.send(asking({ url }))
  expect(proxy.asked).toHaveLength(1)
})

describe('what the environment says', () => {
  const proxyOf = (url: string, env: Record<string, string>) => proxyFromEnvironment(new URL(url), env)?.host

  test('the scheme chooses, lower case wins, ALL_PROXY is for the rest', () => {
    expect(proxyOf('http://a/', { HTTP_PROXY: 'http://p:1', HTTPS_PROXY: 'http://q:2' })).toBe('p:1')
    expect(proxyOf('https://a/', { HTTP_PROXY: 'http://p:1', HTTPS_PROXY: 'q:2' })).toBe('q:2')
    expect(proxyOf('http://a/', { HTTP_PROXY: 'http://p:1', http_proxy: 'r:3' })).toBe('r:3')
    expect(proxyOf('https://a/', { HTTP_PROXY: 'http://p:1', ALL_PROXY: 's:4' })).toBe('s:4')
    expect(proxyOf('https://a/', { https_proxy: '', ALL_PROXY: 's:4' })).toBeUndefined()
    expect(proxyOf('https://a/', {})).toBeUndefined()
  })

  test('in a CGI program HTTP_PROXY is what a stranger sent', () => {
    expect(proxyOf('http://a/', { HTTP_PROXY: 'http://p:1', REQUEST_METHOD: 'GET' })).toBeUndefined()
    expect(proxyOf('http://a/', { http_proxy: 'http://p:1', REQUEST_METHOD: 'GET' })).toBe('p:1')
  })

  test.each([
    ['*', 'http://anything/', true],
    ['example.com', 'http://example.com/', true],
    ['example.com', 'http://files.EXAMPLE.com/', true],
    ['.example.com', 'http://files.example.com/', true],
    ['*.example.com', 'http://files.example.com/', true],
    ['example.com', 'http://badexample.com/', false],
    ['a, example.com:8080', 'http://example.com:8080/', true],
    ['example.com:8080', 'http://example.com/', false],
    ['example.com:443', 'https://example.com/', true],
    ['localhost 127.0.0.1', 'http://127.0.0.1:9/', true],
    ['10.0.0.0/8', 'http://10.1.2.3/', true],
    ['10.0.0.0/8', 'http://11.1.2.3/', false],
    ['10.0.0.0/99', 'http://10.1.2.3/', false],
    ['::1', 'http://[::1]:80/', true],
    ['[::1]:8080', 'http://[::1]:8080/', true],
    ['[::1]:8080', 'http://[::1]:81/', false],
    ['fd00::/8', 'http://[fd12::1]/', true],
    ['', 'http://a/', false],
  ])('NO_PROXY=%s and %s: exempt %s', (list, url, isExempt) => {
    expect(proxyOf(url, { ALL_PROXY: 'p:1', NO_PROXY: list }) === undefined).toBe(isExempt)
  })

  test('a kind of proxy that is not spoken is told without its password', () => {
    const all = { ALL_PROXY: 'socks5://me:secret@host:1080' }
    expect(() => proxyOf('http://a/', all)).toThrow('not an http: or https: address')
    expect(() => proxyOf('http://a/', all)).not.toThrow('secret')
    expect(() => create({ proxy: 'ftp://x' })).toThrow('not an http: or https: address')
  })
})
