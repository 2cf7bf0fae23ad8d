import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { pathTricks } from '../../src/testing/conformance/path-tricks.ts'
import { contentOf, seededRandom } from '../e2e/support/content.ts'
import { HttpClient, idOf } from '../e2e/support/http-client.ts'
import { until } from '../e2e/support/until.ts'
import { rawExchange } from './support/raw-exchange.ts'
import { serve } from './support/served.ts'

// The threats have the numbers of the table in the threat model. Rows that stand elsewhere: 3 (numbers) and 9 (framing)
// in the conformance suite and in fuzz.test.ts, 5 and 16 (what a browser makes of it) in test/server and test/e2e,
// 6 (hooks) in test/hooks, 11 (clean-up) in test/core and test/stores, 12 (nothing is told before it is whole) in
// test/e2e/hooks.test.ts, 17 in the checks of the package.

const TUS = { 'Tus-Resumable': '1.0.0' } as const
const MIB = 1024 * 1024

test.todo('2: roles and methods, a denial changes no byte (carryon serve has no authentication yet)')
test.todo(
  '7: so many uploads, creations, bytes and connections per client (carryon serve has no limits per client yet)',
)
test.todo('7: slow TLS handshakes are given up (carryon serve has no TLS yet)')
test.todo('9: twenty raw requests through four front ends (trusted proxies are not there yet)')
test.todo('10: the quota equals what is on the disk (carryon serve knows no owners yet)')
test.todo('12: quarantine until a scanner has spoken (not there yet)')
test.todo('13: a bit that turns on the disk is found at the end (no digest runs over all requests yet)')

test(
  '1: no spelling of a path, with any method or override, leads anywhere',
  { timeout: 60_000 },
  async () => {
    const server = await serve()
    const client = new HttpClient()
    const upload = await client.createWith(server.url, Buffer.from('mine'))
    const secret = join(server.dir, '..', 'secret')
    await writeFile(secret, 'top secret')
    const before = (await readdir(join(server.dir, '..'))).sort()
    const tricks = [...pathTricks(idOf(upload)), '..%2f..%2fsecret', '../../secret', '%2e%2e/%2e%2e/secret']
    for (const trick of tricks) {
      for (const [method, override] of [
        ['GET', ''],
        ['POST', ''],
        ['PUT', ''],
        ['TRACE', ''],
        ['POST', 'PATCH'],
        ['POST', 'DELETE'],
        ['GET', 'DELETE'],
      ]) {
        const head = [
          `${method} /files/${trick} HTTP/1.1`,
          'Host: 127.0.0.1',
          'Tus-Resumable: 1.0.0',
          'Content-Type: application/offset+octet-stream',
          'Upload-Offset: 0',
          'Upload-Length: 4',
          ...(override === '' ? [] : [`X-HTTP-Method-Override: ${override}`]),
          'Content-Length: 4',
          'Connection: close',
        ]
        const bytes = Buffer.from(`${head.join('\r\n')}\r\n\r\nevil`, 'latin1')
        const answer = await rawExchange(server.port, bytes, 'half-close', 5000)
        const shown = `${method} ${override} ${trick.slice(0, 60)}: ${answer?.slice(0, 200)}`
        // A question mark or a dot segment may leave the address of creations: that is a proper upload of its own.
        expect(answer, shown).toMatch(/^HTTP\/1\.1 4\d\d /)
        expect(answer, shown).not.toContain('top secret')
      }
    }
    expect((await readdir(join(server.dir, '..'))).sort()).toEqual(before)
    expect(await readFile(secret, 'utf8')).toBe('top secret')
    expect((await client.get(upload)).body.toString()).toBe('mine')
    expect(server.complaints()).toEqual([])
    client.close()
  },
)

test('4: whatever a file is called, its download is answered and has no further field', async () => {
  const server = await serve(['--max-metadata-size', '12KiB'])
  const client = new HttpClient()
  const random = seededRandom(Number(process.env['CARRYON_TEST_SEED'] ?? 4))
  const usual = new Set<string>()
  const names = [
    Buffer.from('plain.txt'),
    Buffer.from('a\r\nX-Injected: yes\r\n\r\n<script>'),
    Buffer.from('a\0b'),
    Buffer.from('"; filename="evil.exe'),
    Buffer.from('../../../etc/passwd'),
    Buffer.from('\u202Egnp.exe'),
    Buffer.from([0xff, 0xfe, 0xc3, 0x28]),
    Buffer.alloc(4000, 'n'),
    ...Array.from({ length: 60 }, () =>
      Buffer.from(Array.from({ length: 1 + random() * 60 }, () => random() * 256)),
    ),
  ]
  for (const name of names) {
    for (const type of [Buffer.from('text/plain'), name]) {
      const metadata = `filename ${name.toString('base64')},filetype ${type.toString('base64')},__proto__ eA==`
      const made = await client.ask({
        method: 'POST',
        url: server.url,
        headers: {
          ...TUS,
          'Content-Type': 'application/offset+octet-stream',
          'Upload-Length': 2,
          'Content-Length': 2,
          'Upload-Metadata': metadata,
        },
        body: Buffer.from('hi'),
      })
      expect(made.status, metadata).toBe(201)
      const { status, headers, body } = await client.get(
        new URL(made.headers.location ?? '', server.url).href,
      )
      expect([status, body.toString()], metadata).toEqual([200, 'hi'])
      if (usual.size === 0) for (const field of Object.keys(headers)) usual.add(field)
      expect(
        Object.keys(headers).filter((field) => !usual.has(field)),
        metadata,
      ).toEqual([])
      expect(headers['content-disposition'], metadata).toMatch(/^(?:attachment|inline)/)
      expect(headers['x-content-type-options']).toBe('nosniff')
    }
  }
  expect(server.complaints()).toEqual([])
  client.close()
})

test('4: nothing of a client ends a line of the log', async () => {
  const server = await serve(['--log-level', 'debug'])
  const odd = ['%0a%0d{"level":"fatal"}', '\x1b[31mred', '"}\\', '\xff\xfe', '%1b[2J', "';--"]
  for (const path of odd) {
    for (const field of odd) {
      const head = `GET /files/${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: ${field}\r\nUpload-Metadata: ${field}\r\n\r\n`
      await rawExchange(server.port, Buffer.from(head, 'latin1'), 'half-close', 5000)
    }
  }
  const url = `/files/${'last'.repeat(6)}`
  await rawExchange(server.port, Buffer.from(`GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`), 'half-close', 5000)
  await until('the last request in the log', () => server.log().some(({ path }) => path === url))
  expect(server.log().filter(({ msg }) => msg === 'request').length).toBeGreaterThan(1)
  expect(new Set(server.log().map(({ msg }) => msg))).toEqual(new Set(['listening', 'request']))
  expect(server.complaints()).toEqual([])
})

test('5: a range is one part or the whole, never more than that', async () => {
  const server = await serve()
  const client = new HttpClient()
  const content = contentOf(5).slice(0, MIB)
  const url = await client.createWith(server.url, content)
  const bombs = [
    `bytes=${'0-,'.repeat(4000)}0-`,
    `bytes=${Array.from({ length: 1300 }, (_, at) => `${at}-${at + 1}`).join(',')}`,
    `bytes=-${'9'.repeat(10_000)}`,
    `bytes=0-${'9'.repeat(10_000)}`,
  ]
  for (const range of bombs) {
    const { status, body } = await client.ask({ method: 'GET', url, headers: { Range: range } })
    expect([200, 206, 416]).toContain(status)
    expect(body.length).toBeLessThanOrEqual(content.length)
  }
  client.close()
})

test(
  '7: 500 stalled uploads and 1,000 heads that never end leave a normal upload its way',
  { timeout: 60_000 },
  async () => {
    const server = await serve()
    const client = new HttpClient()
    const content = contentOf(9).slice(0, 16 * MIB)
    const upload = async (): Promise<number> => {
      const startedMs = performance.now()
      const url = await client.create(server.url, content.length)
      for (let at = 0; at < content.length; at += 4 * MIB) {
        expect((await client.patch(url, at, content.subarray(at, at + 4 * MIB))).status).toBe(204)
      }
      const tookMs = performance.now() - startedMs
      expect((await client.get(url)).body.equals(content)).toBe(true)
      return tookMs
    }
    await upload()
    const aloneMs = await upload()
    const urls = await Promise.all(Array.from({ length: 500 }, () => client.create(server.url, 1000)))
    const stalled = await Promise.all(
      urls.map(async (url) => {
        const connection = await server.connect()
        connection.write(
          `PATCH ${new URL(url).pathname} HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 1000\r\n\r\nx`,
        )
        return connection
      }),
    )
    const slow = await Promise.all(
      Array.from({ length: 1000 }, async () => {
        const connection = await server.connect()
        connection.write('POST /files/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ')
        return connection
      }),
    )
    // The speed beside them is measured by the benchmarks, where nobody else uses the machine: here it must not collapse.
    expect(await upload()).toBeLessThan(5 * aloneMs + 2000)
    for (const connection of [...stalled, ...slow]) connection.close()
    await upload()
    expect(server.complaints()).toEqual([])
    client.close()
  },
)

test('7: bodies that stop end after the idle timeout, and what came is kept', async () => {
  const server = await serve(['--idle-timeout', '1s'])
  const client = new HttpClient()
  const urls = await Promise.all(Array.from({ length: 50 }, () => client.create(server.url, 100)))
  await Promise.all(
    urls.map(async (url) => {
      const connection = await server.connect(15_000)
      connection.write(
        `PATCH ${new URL(url).pathname} HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 100\r\n\r\nhello`,
      )
      const { status } = await connection.response('PATCH')
      expect(status).toBe(408)
      await connection.ended
    }),
  )
  expect(await Promise.all(urls.map((url) => client.offset(url)))).toEqual(urls.map(() => 5))
  expect(server.complaints()).toEqual([])
  client.close()
})

test(
  '7: creations of a terabyte each take no space before their bytes come',
  { timeout: 60_000 },
  async () => {
    const server = await serve()
    const client = new HttpClient()
    const beforeBytes = await usedBytes(server.dir)
    for (let round = 0; round < 30; round += 1) {
      await Promise.all(Array.from({ length: 100 }, () => client.create(server.url, 1e12)))
    }
    expect((await usedBytes(server.dir)) - beforeBytes).toBeLessThan(3000 * 8192)
    expect(await client.offset(await client.createWith(server.url, Buffer.from('still here')))).toBe(10)
    client.close()
  },
)

test('7: HEADs without end do not keep an upload from coming to its end', { timeout: 60_000 }, async () => {
  const server = await serve()
  const client = new HttpClient()
  const content = contentOf(3).slice(0, 8 * MIB)
  const url = await client.create(server.url, content.length)
  let isOver = false
  const storm = Promise.all(
    Array.from({ length: 10 }, async () => {
      const stranger = new HttpClient()
      while (!isOver) await stranger.head(url).catch(() => undefined)
      stranger.close()
    }),
  )
  let offset = 0
  try {
    await until(
      'the whole content is there',
      async () => {
        const end = Math.min(content.length, offset + MIB)
        await client.patch(url, offset, content.subarray(offset, end)).catch(() => undefined)
        const now = await client.offset(url)
        expect(now).toBeGreaterThanOrEqual(offset)
        offset = now
        return offset === content.length
      },
      40_000,
    )
  } finally {
    isOver = true
    await storm
  }
  expect((await client.get(url)).body.equals(content)).toBe(true)
  expect(server.complaints()).toEqual([])
  client.close()
})

test('8: a request that breaks off at any of its bytes harms nobody', { timeout: 60_000 }, async () => {
  const server = await serve()
  const client = new HttpClient()
  const whole = Buffer.from(
    'POST /files/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 11\r\nContent-Type: application/offset+octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n',
  )
  const ends = Array.from({ length: whole.length }, (_, at) => at)
  for (const manner of ['half-close', 'cut', 'reset'] as const) {
    for (let from = 0; from < ends.length; from += 20) {
      await Promise.all(
        ends.slice(from, from + 20).map(async (end) => {
          const answer = await rawExchange(server.port, whole.subarray(0, end), manner, 5000)
          expect(answer, `${manner} after ${end} bytes`).toBeDefined()
          expect(answer, `${manner} after ${end} bytes`).not.toMatch(/HTTP\/1\.1 5/)
        }),
      )
    }
  }
  expect(await client.offset(await client.createWith(server.url, Buffer.from('still here')))).toBe(10)
  expect(server.complaints()).toEqual([])
  expect(server.hasEnded).toBe(false)
  client.close()
})

test.each([
  ['one line of 1 MiB', `X-Bomb: ${'a'.repeat(MIB)}\r\n`],
  ['100,000 lines', 'x: y\r\n'.repeat(100_000)],
  ['10,000 parts', `Upload-Concat: final;${'/files/abcdefghijklmnopqrstuvwxyz12 '.repeat(10_000)}\r\n`],
  ['a name of 1 MiB', `${'N'.repeat(MIB)}: x\r\n`],
])('8: a head with %s is refused', async (_, lines) => {
  const server = await serve()
  const head = `POST /files/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 1\r\n${lines}\r\n`
  const answer = await rawExchange(server.port, Buffer.from(head), 'half-close', 5000)
  // A reset may overtake the answer: whoever sends on does not always hear it.
  expect(answer).toMatch(/^(?:HTTP\/1\.1 4(?:00|31) |$)/)
  expect(server.hasEnded).toBe(false)
  expect(server.complaints()).toEqual([])
})

test('10: naming one part as often as a head has room for multiplies no bytes past the limit', async () => {
  const server = await serve(['--max-size', '8MiB'])
  const client = new HttpClient()
  const content = contentOf(2).slice(0, MIB)
  const part = await client.ask({
    method: 'POST',
    url: server.url,
    headers: {
      ...TUS,
      'Content-Type': 'application/offset+octet-stream',
      'Upload-Length': MIB,
      'Content-Length': MIB,
      'Upload-Concat': 'partial',
    },
    body: content,
  })
  const path = new URL(part.headers.location ?? '', server.url).pathname
  const join = (times: number): Promise<number> =>
    client
      .ask({
        method: 'POST',
        url: server.url,
        headers: { ...TUS, 'Content-Length': 0, 'Upload-Concat': `final;${`${path} `.repeat(times).trim()}` },
      })
      .then(({ status }) => status)
  expect(await join(400)).toBe(413)
  expect(await join(9)).toBe(413)
  expect(await usedBytes(server.dir)).toBeLessThan(3 * MIB)
  expect(await join(8)).toBe(201)
  client.close()
})

test('15: what is stored is for the user of the server alone', async () => {
  const server = await serve()
  const client = new HttpClient()
  await client.createWith(server.url, Buffer.from('finished'))
  await client.patch(await client.create(server.url, 10), 0, Buffer.from('half'))
  const open = (await tree(server.dir)).filter(({ mode }) => (mode & 0o077) !== 0)
  expect(open.map(({ path }) => path)).toEqual([])
  client.close()
})

interface Entry {
  readonly path: string
  readonly mode: number
  readonly bytes: number
}

async function tree(dir: string): Promise<readonly Entry[]> {
  const names = await readdir(dir, { recursive: true })
  const found = await Promise.all(
    ['.', ...names].map(async (name) => {
      const path = join(dir, name)
      // Files of work under way come and go.
      const entry = await stat(path).catch(() => undefined)
      return entry === undefined ? [] : [{ path, mode: entry.mode & 0o777, bytes: entry.blocks * 512 }]
    }),
  )
  return found.flat()
}

async function usedBytes(dir: string): Promise<number> {
  return (await tree(dir)).reduce((sum, { bytes }) => sum + bytes, 0)
}
