import { join } from 'node:path'
import { expect, test } from 'vitest'

import type { Store } from '../../src/core/ports/store.ts'
import { isUploadError } from '../../src/core/errors.ts'
import { nodeDisk } from '../../src/stores/file/disk.ts'
import type { Disk } from '../../src/stores/file/disk.ts'
import { fileStoreOn } from '../../src/stores/file/index.ts'
import { bytesOf, Scene } from '../../src/testing/store-contract/scene.ts'
import type { Upload } from '../../src/testing/store-contract/scene.ts'
import { diskWith } from './faulty-disk.ts'
import type { Fault } from './faulty-disk.ts'
import { filesIn, temporaryDirectory } from './temporary-directory.ts'

const SIZE = 300_000
const BYTES = bytesOf(SIZE)

function storeOn(disk: Disk, root: string): Store {
  return fileStoreOn(disk, { dir: root, completedDir: join(root, 'completed') })
}

/** The life of one upload in steps, each from the record that the last one left. */
const steps: readonly ((scene: Scene, upload: Upload) => Promise<void>)[] = [
  (_scene, upload) => upload.append([BYTES.subarray(0, 50_000), BYTES.subarray(50_000, 100_000)]),
  (_scene, upload) => upload.append([BYTES.subarray(upload.record.offset, 150_000)]),
  async (_scene, upload) => {
    const appender = await upload.open()
    try {
      await appender.write([bytesOf(50_000, 9)])
      await appender.rollback()
      await appender.write([bytesOf(60_000, 9)])
    } finally {
      await appender.close()
    }
  },
  (_scene, upload) => upload.append([BYTES.subarray(upload.record.offset)]),
  async (scene, upload) => {
    const before = upload.record
    const [outcome] = await scene.store.finish([before])
    if (outcome?.ok !== true) throw outcome?.error
    upload.change({ placement: outcome.placement, status: 'complete' })
    await scene.store.tidy(before, outcome.placement)
  },
  (scene, upload) => scene.store.remove(upload.record),
]

/** The lazy sync after a tidy: what it would make durable is found and repeated if a power cut undoes it. */
const UNHEARD = new Set(['fsync 3'])

const matrix: Fault[] = []
for (const call of ['open', 'writev', 'fdatasync', 'fsync', 'link', 'unlink', 'ftruncate'] as const) {
  for (const nth of [1, 2, 3].filter((count) => !UNHEARD.has(`${call} ${count}`))) {
    matrix.push({ call, nth, fault: 'EIO' }, { call, nth, fault: 'ENOSPC' })
    if (call === 'writev') matrix.push({ call, nth, fault: 'short' })
  }
}

/** Calls that this life makes too seldom to fail. */
const SELDOM = new Set(['link 2', 'link 3', 'ftruncate 3'])

test.each(matrix)('$fault in call $nth of $call loses nothing and is no success', async (fault) => {
  const root = await temporaryDirectory()
  const { disk, fired } = diskWith(fault)
  const faulty = new Scene({ store: storeOn(disk, root), dispose: async () => {} })
  const upload = faulty.upload(SIZE)
  let hit = false
  for (const step of steps) {
    const failure = await step(faulty, upload).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (fired() && !hit) {
      hit = true
      if (fault.fault === 'short') expect(failure).toBeUndefined()
      else expect(isUploadError(failure) && failure.code).toBe(codeFor(fault))
      await soundAndGoesOn(root, upload, steps.indexOf(step))
    }
    if (failure !== undefined) break
  }
  await faulty.store.close()
  expect(hit).toBe(!SELDOM.has(`${fault.call} ${fault.nth}`))
})

function codeFor({ fault }: Fault): string {
  return fault === 'ENOSPC' ? 'ERR_STORE_FULL' : 'ERR_STORE_UNAVAILABLE'
}

/** In a new process over a sound disk: the recorded bytes are exact, and the upload can be brought to its end. */
async function soundAndGoesOn(root: string, upload: Upload, failedStep: number): Promise<void> {
  const scene = new Scene({ store: storeOn({ ...nodeDisk }, root), dispose: async () => {} })
  const again = scene.upload(SIZE)
  again.change(upload.record)
  if (failedStep < 5) await again.holds(BYTES.subarray(0, again.record.offset))
  for (const step of steps.slice(failedStep)) await step(scene, again)
  expect(await filesIn(join(root, 'completed'))).toEqual([])
  await scene.store.close()
  // The unlucky process goes on with nothing: for it the upload is gone.
  upload.change({ offset: 0, length: 0, placement: { where: null } })
}
