import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { readRecord } from '../../src/node/index.ts'
import { cleanUp, onCleanUp, opened, temporaryDirectory, uploaded } from './scene.ts'
import { bundleWorker } from './worker/bundle.ts'

afterAll(cleanUp)

const root = fileURLToPath(new URL('../../', import.meta.url))

test('examples/worker takes what is there and what comes, and ends when it is told to', async () => {
  const script = await bundleWorker(join(root, 'examples/worker/main.ts'))
  const dir = temporaryDirectory()
  const cwd = temporaryDirectory()
  const uploads = await opened({ dir })
  await uploaded(uploads, 'first', { metadata: { filename: 'a.txt' } })
  const child = spawn(process.execPath, [script], {
    cwd,
    env: { ...process.env, UPLOADS: dir },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onCleanUp(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  expect((await lines.next()).value).toBe(join(cwd, 'dest/a.txt'))
  const { id } = await uploaded(uploads, 'second')
  expect((await lines.next()).value).toBe(join(cwd, 'dest', id))
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(readdirSync(join(cwd, 'dest')).sort()).toEqual([id, `${id}.json`, 'a.txt', 'a.txt.json'].sort())
  expect(readFileSync(join(cwd, 'dest/a.txt'), 'utf8')).toBe('first')
  expect(await readRecord(join(cwd, 'dest', `${id}.json`))).toMatchObject({ id, length: 6, metadata: {} })
})
