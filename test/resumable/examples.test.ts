import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { afterTest } from '../e2e/support/after-test.ts'
import { contentOf, sha256 } from '../e2e/support/content.ts'
import { temporaryDirectory } from '../e2e/support/temporary-directory.ts'
import { within } from '../e2e/support/until.ts'
import { tusJsUpload } from './support/tus-js.ts'

const content = contentOf(12).slice(0, 2_000_000)
const EXAMPLES = ['node', 'fetch', 'express', 'fastify', 'koa']

function pathOf(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}

function sourceOf(name: string): string {
  return readFileSync(pathOf(`../../examples/resumable-${name}/main.ts`), 'utf8')
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts an example from the sources. @returns URL of its handler. */
async function start(name: string): Promise<string> {
  const port = await freePort()
  const script = name === 'fetch' ? './fetch-example/child.ts' : `../../examples/resumable-${name}/main.ts`
  const child = spawn(process.execPath, ['--import', 'tsx', pathOf(script)], {
    env: {
      ...process.env,
      PORT: String(port),
      UPLOADS: await temporaryDirectory(),
      TSX_TSCONFIG_PATH: pathOf('./tsconfig.json'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  afterTest(async () => {
    if (child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  await within('the example is ready', once(child.stdout, 'data'), 20_000)
  return `http://127.0.0.1:${port}/photos`
}

test.each(EXAMPLES)('examples/resumable-%s takes plain and resumable uploads', async (name) => {
  const url = await start(name)
  const plain = await fetch(url, {
    method: 'POST',
    body: new Uint8Array(content),
    headers: { 'Content-Type': 'image/png' },
  })
  expect([plain.status, await plain.text()]).toEqual([200, sha256(content)])
  const resumed = await tusJsUpload(content, { endpoint: url, chunkSize: 700_000 })
  expect([resumed.status, resumed.body]).toEqual([200, sha256(content)])
})

test('each is under ten lines', () => {
  for (const name of EXAMPLES) {
    const lines = sourceOf(name)
      .split('\n')
      .filter((line) => line.trim() !== '')
    expect(lines.length, name).toBeLessThan(10)
  }
})

test('the examples on the page are the examples that run', () => {
  const page = readFileSync(pathOf('../../docs/resumable.md'), 'utf8')
  const included = [
    ...page.matchAll(
      /<!-- include: examples\/resumable-(?<name>\w+)\/main\.ts -->\n```ts\n(?<code>[\s\S]*?)```/g,
    ),
  ]
  expect(included.map(({ groups }) => groups?.['name'])).toEqual(EXAMPLES)
  for (const { groups } of included) expect(groups?.['code']).toBe(sourceOf(groups?.['name'] ?? ''))
})
