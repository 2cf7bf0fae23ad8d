import { join } from 'node:path'
import { expect, test } from 'vitest'

import { nodeDisk } from '../../src/stores/file/disk.ts'
import type { Disk } from '../../src/stores/file/disk.ts'
import { fileStore } from '../../src/stores/file/index.ts'
import type { SettleJob, SettlePlace } from '../../src/stores/file/settle.ts'
import { settleWorkerFile, Settler } from '../../src/stores/file/settler.ts'
import { bytesOf } from '../../src/testing/store-contract/scene.ts'
import { contentsOf, fingerprint, temporaryDirectory } from './temporary-directory.ts'

/** A disk of this thread that was not to be used. */
const noDisk = new Proxy(nodeDisk, {
  get: (_target, call) => {
    throw new Error(`${String(call)} was called in this thread`)
  },
})

async function placeIn(root: string): Promise<SettlePlace> {
  await fileStore({ dir: root, completedDir: join(root, 'completed') }).close()
  return {
    dir: root,
    completedDir: join(root, 'completed'),
    sameDevice: true,
    durable: true,
    fileMode: 0o600,
  }
}

function job(name: string, size: number): SettleJob {
  // Part of a larger buffer, as a driver may hand it out.
  const inline = Buffer.concat([Buffer.alloc(3), bytesOf(size), Buffer.alloc(5)]).subarray(3, 3 + size)
  return { id: name.padEnd(22, '_'), name, size, inline, shared: false, segments: [] }
}

function settlerOn(place: SettlePlace, disk: Disk, workerFile: URL | undefined): Settler {
  return new Settler(place, { disk, syncDirectory: async () => {} }, workerFile)
}

test('batches are settled in the worker', async () => {
  const root = await temporaryDirectory()
  const settler = settlerOn(await placeIn(root), noDisk, settleWorkerFile)
  const batches = [settler.settle([job('a', 10), job('b', 20)]), settler.settle([job('c', 0)])]
  expect(await Promise.all(batches)).toEqual([
    [
      { ok: true, name: 'a' },
      { ok: true, name: 'b' },
    ],
    [{ ok: true, name: 'c' }],
  ])
  const contents = await contentsOf(join(root, 'completed'))
  expect(contents.get('a')).toBe(fingerprint(bytesOf(10)))
  expect(contents.get('b')).toBe(fingerprint(bytesOf(20)))
  await settler.close()
})

test('failures come back from the worker with their code', async () => {
  const root = await temporaryDirectory()
  const place = await placeIn(root)
  const settler = settlerOn({ ...place, completedDir: join(root, 'nowhere') }, noDisk, settleWorkerFile)
  const missing = {
    ...job('lost', 10),
    inline: undefined,
    segments: [
      { file: 'gone', length: 10 },
      { file: 'b', length: 0 },
    ],
  }
  const [first, second] = await settler.settle([job('a', 10), missing])
  expect(first).toMatchObject({ ok: false, error: { code: 'ENOENT' } })
  expect(second).toMatchObject({ ok: false, error: { code: 'ERR_CORRUPT_RECORD' } })
  await settler.close()
})

test('without a worker, or when it cannot start, this thread does the work', async () => {
  for (const workerFile of [undefined, new URL('./no-such-worker.js', import.meta.url)]) {
    const root = await temporaryDirectory()
    const settler = settlerOn(await placeIn(root), nodeDisk, workerFile)
    expect(await settler.settle([job('a', 10)])).toEqual([{ ok: true, name: 'a' }])
    expect(await settler.settle([job('b', 10)])).toEqual([{ ok: true, name: 'b' }])
    await settler.close()
  }
})

test('a batch under way at close is finished', async () => {
  const root = await temporaryDirectory()
  const settler = settlerOn(await placeIn(root), nodeDisk, settleWorkerFile)
  const settling = settler.settle([job('a', 10)])
  await settler.close()
  expect(await settling).toEqual([{ ok: true, name: 'a' }])
})
