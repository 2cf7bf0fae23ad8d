import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ProcessIdentity, sqliteCatalog } from '../../src/catalogs/sqlite/index.ts'
import type { Catalog } from '../../src/core/ports/catalog.ts'
import type { Clock } from '../../src/core/ports/clock.ts'
import type { CatalogUnderTest } from '../../src/testing/catalog-contract.ts'

/**
 * What a catalog does by itself happens this many times faster. What it does many times a second less so: on a busy
 * machine it would give up on others that are only slow.
 */
const HASTE = { often: 3, seldom: 10 }
const SELDOM_MS = 1000

/** A clock of which the timers can be held back, as those of a stopped process are. */
class HastyClock implements Clock {
  #frozen = false
  #due: (() => void)[] = []

  nowMs(): number {
    return Date.now()
  }

  after(delayMs: number, callback: () => void): () => void {
    let cancelled = false
    const timer = setTimeout(
      () => {
        const run = (): void => (cancelled ? undefined : callback())
        if (this.#frozen) this.#due.push(run)
        else run()
      },
      delayMs / (delayMs < SELDOM_MS ? HASTE.often : HASTE.seldom),
    )
    timer.unref()
    return () => {
      cancelled = true
      clearTimeout(timer)
    }
  }

  freeze(): void {
    this.#frozen = true
  }

  thaw(): void {
    this.#frozen = false
    for (const run of this.#due.splice(0)) run()
  }
}

/** A directory for one test. */
export async function temporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'carryon-catalog-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** A SQLite catalog in a file of its own; further ones play other processes. */
export async function sqliteUnderTest(thread: 'worker' | 'same'): Promise<CatalogUnderTest> {
  const directory = await temporaryDirectory()
  const opened: Catalog[] = []
  const clocks = new Map<Catalog, { clock: HastyClock; self: ProcessIdentity }>()
  const dead = new Set<number>()
  const open = async (): Promise<Catalog> => {
    const clock = new HastyClock()
    const self = { pid: clocks.size + 1, started: '', boot: 'this', namespace: '' }
    const processes = { self, isProvenDead: ({ pid }: ProcessIdentity) => dead.has(pid) }
    const catalog = await sqliteCatalog({
      path: join(directory.path, 'catalog.db'),
      thread,
      clock,
      processes,
    })
    opened.push(catalog)
    clocks.set(catalog, { clock, self })
    return catalog
  }
  const partsOf = (catalog: Catalog): { clock: HastyClock; self: ProcessIdentity } => {
    const parts = clocks.get(catalog)
    if (parts === undefined) throw new Error('not a catalog of this fixture')
    return parts
  }
  return {
    catalog: await open(),
    reopen: open,
    sharing: {
      join: open,
      freeze: (catalog) => partsOf(catalog).clock.freeze(),
      thaw: (catalog) => partsOf(catalog).clock.thaw(),
      kill(catalog) {
        partsOf(catalog).clock.freeze()
        dead.add(partsOf(catalog).self.pid)
      },
    },
    async dispose() {
      for (const { clock } of clocks.values()) clock.thaw()
      for (const catalog of opened) await catalog.close()
      await directory.remove()
    },
  }
}
