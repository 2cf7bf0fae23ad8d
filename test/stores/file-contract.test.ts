import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'

import type { Store } from '../../src/core/ports/store.ts'
import { nodeDisk } from '../../src/stores/file/disk.ts'
import { fileStore, fileStoreOn } from '../../src/stores/file/index.ts'
import type { FileStoreOptions } from '../../src/stores/file/index.ts'
import { storeContract } from '../../src/testing/store-contract.ts'

const configurations: readonly {
  readonly name: string
  readonly options: (root: string) => FileStoreOptions
  readonly inWorker?: boolean
}[] = [
  { name: 'power, no completed directory', options: (root) => ({ dir: root }) },
  {
    name: 'power, completed directory',
    inWorker: true,
    options: (root) => ({
      dir: root,
      completedDir: join(root, 'completed'),
      completedName: '{date} {name}',
    }),
  },
  { name: 'process, no completed directory', options: (root) => ({ dir: root, durability: 'process' }) },
  {
    name: 'process, completed directory elsewhere',
    options: (root) => ({
      dir: join(root, 'deep', 'uploads'),
      completedDir: join(root, 'done'),
      durability: 'process',
    }),
  },
  { name: 'nothing inline', options: (root) => ({ dir: root, inlineMaxBytes: 0, durability: 'process' }) },
]

for (const { name, options, inWorker = false } of configurations) {
  // On another disk object everything is done in this thread; starting a worker for each test takes longer.
  const make = (root: string): Store =>
    inWorker ? fileStore(options(root)) : fileStoreOn({ ...nodeDisk }, options(root))
  describe(`file store (${name})`, () => {
    storeContract({
      test,
      factory: async () => {
        const root = await mkdtemp(join(tmpdir(), 'carryon-store-'))
        return {
          store: make(root),
          reopen: async () => make(root),
          dispose: () => rm(root, { recursive: true }),
        }
      },
    })
  })
}
