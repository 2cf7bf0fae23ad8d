import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { sqliteCatalog } from '../../catalogs/sqlite/index.ts'
import type { Catalog } from '../../core/ports/catalog.ts'
import type { Store } from '../../core/ports/store.ts'
import type { FileAdopter } from '../../stores/file/index.ts'
import { fileAdopter, fileStore } from '../../stores/file/index.ts'
import { makeRoot } from '../make-root.ts'

export interface TargetOptions {
  readonly dir: string
  readonly completedDir: string | false
  readonly completedName: string | undefined
}

/** Where uploads are taken over to: a directory as `openUploads` lays it out. */
export interface Target {
  readonly catalog: Catalog
  /** Absent in a dry run: opening it makes directories. */
  readonly files: { readonly store: Store; readonly adopter: FileAdopter } | undefined
  close(): Promise<void>
}

/** Opens the target, and makes it where it is not there. Servers may be using it meanwhile. */
export async function openTarget({ dir, completedDir, completedName }: TargetOptions): Promise<Target> {
  makeRoot(dir)
  if (completedDir !== false) makeRoot(completedDir)
  const dataDir = join(dir, 'data')
  const store = fileStore({
    dir: dataDir,
    completedDir: completedDir === false ? undefined : completedDir,
    completedName,
  })
  const catalog = await sqliteCatalog({ path: join(dir, 'carryon.db') })
  const adopter = fileAdopter({ dir: dataDir, freeBytes: store.freeBytes?.bind(store) })
  return {
    catalog,
    files: { store, adopter },
    async close() {
      await adopter.close()
      await store.close()
      await catalog.close()
    },
  }
}

/** Opens only the records of a target; `undefined` where there are none. */
export async function openRecords({ dir }: TargetOptions): Promise<Target | undefined> {
  const path = join(dir, 'carryon.db')
  if (!existsSync(path)) return undefined
  const catalog = await sqliteCatalog({ path })
  return { catalog, files: undefined, close: () => catalog.close() }
}

/** Directories of the target whose files are ours or were handed to people: real paths of those that are there. */
export function ownDirectories({ dir, completedDir }: TargetOptions): readonly string[] {
  const all = [join(dir, 'data'), ...(completedDir === false ? [] : [completedDir])]
  return all.filter((path) => existsSync(path)).map((path) => realpathSync(path))
}
