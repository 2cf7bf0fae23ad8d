import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { run, start, stopAll } from './command.ts'
import type { StagedPackage } from './staged-package.ts'
import { stagePackage, temporaryDirectory } from './staged-package.ts'

let carryon: StagedPackage
let dir: string

beforeAll(() => {
  carryon = stagePackage()
})
beforeEach(() => {
  dir = temporaryDirectory()
})
afterEach(async () => {
  await stopAll()
  rmSync(dir, { recursive: true, force: true })
})
afterAll(() => carryon.remove())

async function serve(): Promise<string> {
  const { url } = await start(carryon.bin, ['serve', '--port', '0', '--dir', dir]).logged('listening')
  return String(url)
}

test('a server that keeps the rules exits 0 with a table', async () => {
  const { code, stdout, stderr } = await run(carryon.bin, [
    'conformance',
    await serve(),
    '--only',
    'T-C1,T-H1',
  ])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^conforms: 2 passed, 0 failed/m)
})

test('a server that breaks a rule exits 1 with a report', async () => {
  // It announces creation, and then makes nothing.
  const broken = createServer((request, response) => {
    request.resume()
    const fields = { 'Tus-Resumable': '1.0.0', 'Tus-Version': '1.0.0', 'Tus-Extension': 'creation' }
    response.writeHead(request.method === 'OPTIONS' ? 204 : 500, fields).end()
  })
  broken.listen(0, '127.0.0.1')
  await once(broken, 'listening')
  const address = broken.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const args = ['conformance', `http://127.0.0.1:${port}/files/`, '--only', 'T-C1', '--json']
  const { code, stdout } = await run(carryon.bin, args)
  broken.close()
  broken.closeAllConnections()
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, results: [{ id: 'T-C1', status: 'failed' }] })
})

test('headers go with every request', async () => {
  const seen: (string | undefined)[] = []
  const listening = createServer((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(204).end()
  })
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const address = listening.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const header = ['--header', 'Authorization: Bearer abc', '--header', 'X-Other: 1']
  await run(carryon.bin, ['conformance', `http://127.0.0.1:${port}/`, '--only', 'T-O1', ...header])
  listening.close()
  listening.closeAllConnections()
  expect(seen.length).toBeGreaterThan(0)
  expect(new Set(seen)).toEqual(new Set(['Bearer abc']))
})

test('a server that does not answer is one line and exit code 1', async () => {
  const { code, stdout, stderr } = await run(carryon.bin, ['conformance', 'http://127.0.0.1:1/files/'])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^carryon: no tus server answers at http:\/\/127\.0\.0\.1:1\/files\/: [^\n]+\n$/)
})
