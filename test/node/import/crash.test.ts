import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Places } from './scene.ts'
import { afterTest, places, runImport, serve } from './scene.ts'
import { writeTusd } from './tusd-fixture.ts'

const UPLOADS = 60
const child = fileURLToPath(new URL('child.ts', import.meta.url))

/** Imports in a process of its own, which kills itself in the middle of several uploads. */
async function importAndDie({ from, dir }: Places, how: string, after: number): Promise<void> {
  const running = spawn(process.execPath, ['--import', 'tsx', child, from, dir, how, String(after)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  afterTest(async () => running.kill('SIGKILL'))
  await once(running, 'exit')
  expect(running.signalCode).toBe('SIGKILL')
}

test.each((['link', 'copy', 'move'] as const).flatMap((how) => [1, 12, 40].map((after) => ({ how, after }))))(
  '$how, killed after $after uploads and run again: each is there once',
  async ({ how, after }) => {
    const at = await places()
    const contents = new Map<string, { readonly data: Buffer; readonly isComplete: boolean }>()
    for (let index = 0; index < UPLOADS; index += 1) {
      const data = randomBytes(1000 + index)
      const isComplete = index % 2 === 0
      const size = isComplete ? data.length : 5000
      contents.set(await writeTusd(at.from, { size, data }), { data, isComplete })
    }
    await importAndDie(at, how, after)
    const { totals, events } = await runImport(at, { how })
    expect(totals.failed).toBe(0)
    // What was removed from the old directory is told of by nobody the second time.
    expect(totals.imported).toBeGreaterThan(0)
    if (how !== 'move') expect(events.size).toBe(UPLOADS)
    expect(readdirSync(at.from)).toHaveLength(how === 'move' ? 0 : 2 * UPLOADS)
    // A record that was complete but not settled is seen to by the second run, or by the server at its start.
    const server = await serve(at)
    const finished = [...contents].filter(([, { isComplete }]) => isComplete).map(([id]) => id)
    await expect.poll(() => readdirSync(join(at.dir, 'completed')).sort()).toEqual(finished.sort())
    for (const [id, { data, isComplete }] of contents) {
      const { headers } = await server.head(id)
      expect(headers.get('Upload-Offset'), id).toBe(String(data.length))
      if (!isComplete) {
        const rest = randomBytes(5000 - data.length)
        expect((await server.patch(id, data.length, rest)).status).toBe(204)
        expect((await server.get(id)).equals(Buffer.concat([data, rest])), id).toBe(true)
      } else expect((await server.get(id)).equals(data), id).toBe(true)
    }
  },
)

test('what could not become a finished file does so at the next run', async () => {
  const at = await places()
  const data = randomBytes(1000)
  const id = await writeTusd(at.from, { size: data.length, data, metadata: { filename: 'taken' } })
  const completed = join(at.dir, 'completed')
  await mkdir(completed, { recursive: true })
  const taken = [
    'taken',
    `taken (${id})`,
    ...Array.from({ length: 99 }, (_, index) => `taken (${index + 2})`),
  ]
  for (const name of taken) await writeFile(join(completed, name), 'somebody else')
  const options = { how: 'move', completedName: '{name}' } as const
  const first = await runImport(at, options)
  expect(first.events.get(id)).toMatchObject({
    kind: 'failed',
    reason: 'it was taken over, but is not among the finished files: start the server, it sees to that',
  })
  expect(readdirSync(at.from).sort()).toEqual([id, `${id}.info`])
  await rm(join(completed, 'taken'))
  const second = await runImport(at, options)
  expect(second.events.get(id)).toMatchObject({ kind: 'skipped', why: 'there' })
  expect(readdirSync(at.from)).toEqual([])
  expect(readdirSync(completed).sort()).toEqual(taken.sort())
  const server = await serve(at, { completedName: '{name}' })
  expect((await server.get(id)).equals(data)).toBe(true)
})
