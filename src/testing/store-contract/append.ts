import assert from 'node:assert/strict'

import { bytesOf, join, rejectsWith, SHAPES } from './scene.ts'
import type { Scenario, Scene, Upload } from './scene.ts'

const third = (bytes: Uint8Array, part: 0 | 1 | 2): Uint8Array => {
  const size = Math.floor(bytes.byteLength / 3)
  return bytes.subarray(part * size, part === 2 ? undefined : (part + 1) * size)
}

interface Body {
  readonly upload: Upload
  readonly bytes: Uint8Array
}

/** The same test for every kind of upload. */
function forEachShape(name: string, run: (scene: Scene, body: Body) => Promise<void>): Scenario[] {
  return SHAPES.map((shape) => ({
    name: `${name} (${shape.name})`,
    run: (scene) => {
      const bytes = bytesOf(shape.size)
      return run(scene, { bytes, upload: scene.upload(shape.declared ? shape.size : undefined) })
    },
  }))
}

export const appendTests: readonly Scenario[] = [
  ...forEachShape('bytes come back as they were written', async (_scene, { upload, bytes }) => {
    await upload.append([bytes])
    await upload.holds(bytes)
  }),
  ...forEachShape('several appends follow each other', async (_scene, { upload, bytes }) => {
    for (const part of [0, 1, 2] as const) {
      await upload.append([third(bytes, part)])
      await upload.holds(bytes.subarray(0, upload.record.offset))
    }
    await upload.holds(bytes)
  }),
  ...forEachShape('one appender commits as it goes', async (_scene, { upload, bytes }) => {
    const appender = await upload.open()
    for (const part of [0, 1, 2] as const) {
      await appender.write([third(bytes, part)])
      upload.apply(await appender.commit())
      await upload.holds(bytes.subarray(0, upload.record.offset))
    }
    await appender.close()
    await upload.holds(bytes)
  }),
  ...forEachShape('appends go on after a restart', async (scene, { upload, bytes }) => {
    await upload.append([third(bytes, 0)])
    await scene.restart()
    await upload.holds(third(bytes, 0))
    await upload.append([third(bytes, 1)])
    await scene.restart()
    await upload.append([third(bytes, 2)])
    await upload.holds(bytes)
  }),
  ...forEachShape('what was not committed does not count', async (_scene, { upload, bytes }) => {
    await upload.append([third(bytes, 0)])
    const cut = await upload.open()
    await cut.write([bytesOf(bytes.byteLength / 3, 9)])
    await cut.close()
    const again = await upload.open()
    assert.equal((await again.commit()).offset, upload.record.offset)
    await again.write([bytes.subarray(upload.record.offset)])
    upload.apply(await again.commit())
    await again.close()
    await upload.holds(bytes)
  }),
  ...forEachShape('what was not committed is gone after a crash', async (scene, { upload, bytes }) => {
    await upload.append([third(bytes, 0)])
    const lost = await upload.open()
    await lost.write([bytesOf(bytes.byteLength / 3, 9)])
    await scene.restart()
    await upload.holds(third(bytes, 0))
    await upload.append([third(bytes, 1)])
    await scene.restart()
    await upload.append([third(bytes, 2)])
    await upload.holds(bytes)
    await lost.close()
  }),
  ...forEachShape('a commit without a write changes nothing', async (_scene, { upload, bytes }) => {
    const first = await upload.open()
    assert.equal((await first.commit()).offset, 0)
    await first.close()
    await upload.append([third(bytes, 0)])
    const second = await upload.open()
    upload.apply(await second.commit())
    await second.close()
    await upload.holds(third(bytes, 0))
  }),
  ...forEachShape('commits are repeatable', async (_scene, { upload, bytes }) => {
    const appender = await upload.open()
    await appender.write([bytes])
    const commits = await Promise.all([appender.commit(), appender.commit()])
    commits.push(await appender.commit())
    await appender.close()
    for (const commit of commits) {
      upload.apply(commit)
      await upload.holds(bytes)
    }
  }),
  ...forEachShape('a commit during a write leaves that write out', async (_scene, { upload, bytes }) => {
    const appender = await upload.open()
    await appender.write([third(bytes, 0)])
    const writing = appender.write([third(bytes, 1)])
    const during = await appender.commit()
    // A write that returns nothing was over when `commit` was called.
    const parts = writing === undefined ? join(third(bytes, 0), third(bytes, 1)) : third(bytes, 0)
    upload.apply(during)
    await upload.holds(parts)
    await writing
    await appender.write([third(bytes, 2)])
    upload.apply(await appender.commit())
    await appender.close()
    await upload.holds(bytes)
  }),
  ...forEachShape('a rollback takes back what was written', async (_scene, { upload, bytes }) => {
    await upload.append([third(bytes, 0)])
    const appender = await upload.open()
    await appender.write([bytesOf(Math.floor(bytes.byteLength / 3), 9)])
    await appender.rollback()
    assert.equal((await appender.commit()).offset, upload.record.offset)
    await appender.write([bytes.subarray(upload.record.offset)])
    upload.apply(await appender.commit())
    await appender.close()
    await upload.holds(bytes)
  }),
  ...forEachShape('a rollback of the first append leaves nothing', async (scene, { upload, bytes }) => {
    const appender = await upload.open()
    await appender.write([bytesOf(bytes.byteLength, 9)])
    await appender.rollback()
    upload.apply(await appender.commit())
    await appender.close()
    assert.equal(upload.record.offset, 0)
    await scene.restart()
    await upload.append([bytes])
    await upload.holds(bytes)
  }),
  ...forEachShape('many small chunks in one write', async (_scene, { upload, bytes }) => {
    const chunks: Uint8Array[] = [new Uint8Array(0)]
    for (let at = 0, size = 0; at < bytes.byteLength; at += size) {
      size = (size % 7) + 1
      chunks.push(bytes.subarray(at, at + size))
    }
    await upload.append([...chunks, new Uint8Array(0)])
    await upload.holds(bytes)
  }),
  ...forEachShape('chunks may be reused after the write', async (_scene, { upload, bytes }) => {
    const chunk = Uint8Array.from(bytes)
    const appender = await upload.open()
    await appender.write([chunk])
    chunk.fill(255)
    upload.apply(await appender.commit())
    await appender.close()
    await upload.holds(bytes)
  }),
  ...forEachShape('a record that claims more than is stored is corrupt', async (scene, { upload, bytes }) => {
    await upload.append([third(bytes, 0)])
    const record = { ...upload.record, offset: upload.record.offset + 1 }
    await rejectsWith('ERR_CORRUPT_RECORD', scene.store.open(record, scene.right(1)))
  }),
  {
    name: 'an empty write is nothing',
    run: async (scene) => {
      const upload = scene.upload(10)
      await upload.append([])
      await upload.append([new Uint8Array(0)])
      await upload.holds(new Uint8Array(0))
    },
  },
  {
    name: 'uploads do not touch each other',
    run: async (scene) => {
      const bodies = SHAPES.flatMap((shape, index) =>
        [0, 1, 2].map((seed) => ({
          bytes: bytesOf(shape.size, index * 3 + seed),
          upload: scene.upload(shape.declared ? shape.size : undefined),
        })),
      )
      for (const part of [0, 1, 2] as const) {
        await Promise.all(bodies.map(({ upload, bytes }) => upload.append([third(bytes, part)])))
      }
      for (const { upload, bytes } of bodies) await upload.holds(bytes)
    },
  },
]
