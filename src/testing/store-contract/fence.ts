import type { WriteRight } from '../../core/ports/store.ts'
import { bytesOf, join, SHAPES } from './scene.ts'
import type { Scenario, Scene } from './scene.ts'

/** The right of a process that took over from one that may still wake up. */
function afterFrozen(epoch: number): WriteRight {
  return { epoch, writer: 'successor', mayExtend: (writer) => writer === 'successor' }
}

async function takeOver(scene: Scene, size: number, right: WriteRight): Promise<void> {
  const upload = scene.upload(size)
  const first = bytesOf(size / 4, 1)
  await upload.append([first])
  const old = await upload.open()
  await old.write([bytesOf(size / 4, 8)])
  upload.change({ epoch: right.epoch })
  const heir = await upload.open(right)
  const second = bytesOf(size / 2, 2)
  await heir.write([second])
  // The old one wakes up: whatever it does, nothing of it may show.
  await settled(async () => old.write([bytesOf(size / 4, 9)]))
  const commit = await heir.commit()
  await settled(async () => old.write([bytesOf(size / 4, 7)]))
  await settled(async () => old.rollback())
  await settled(async () => old.close())
  upload.apply(commit)
  await heir.close()
  await upload.holds(join(first, second))
  await scene.restart()
  await upload.holds(join(first, second))
}

async function settled(action: () => unknown): Promise<void> {
  try {
    await action()
  } catch {
    // It may fail, as long as it does no harm.
  }
}

export const fenceTests: readonly Scenario[] = SHAPES.filter(({ declared }) => declared).flatMap(
  ({ name, size }) => [
    {
      name: `late writes of a frozen process do not show (${name})`,
      run: (scene: Scene) => takeOver(scene, size, afterFrozen(2)),
    },
    {
      name: `late writes of an earlier appender do not show (${name})`,
      run: (scene: Scene) => takeOver(scene, size, scene.right(2)),
    },
  ],
)
