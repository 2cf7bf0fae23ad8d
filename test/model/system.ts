import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import { sqliteCatalog } from '../../src/catalogs/sqlite/index.ts'
import type { ProcessIdentity } from '../../src/catalogs/sqlite/index.ts'
import type { Engine, EngineOptions } from '../../src/core/engine.ts'
import { createEngine } from '../../src/core/engine.ts'
import type { Clock } from '../../src/core/ports/clock.ts'
import { nodeDigests } from '../../src/node/digests.ts'
import { fileStore } from '../../src/stores/file/index.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { lasting } from '../support/rig.ts'
import { mortal } from './mortal.ts'

export const EXPIRE_AFTER_MS = 3_600_000

/** A server on data that outlives it. */
export interface System {
  readonly engine: Engine
  nowMs(): number
  /** Lets time pass that nobody works in. */
  shift(byMs: number): Promise<void>
  /** Waits for something that may need time to go on. */
  settled<T>(promise: Promise<T>): Promise<T>
  /** Lets what has been set off come about. */
  rest(): Promise<void>
  /** The process dies here and now; another one starts on what it has left. */
  crash(): Promise<void>
  /** The process ends as it should; another one starts. */
  restart(): Promise<void>
  dispose(): Promise<void>
}

/** Small enough that short bodies are recorded on the way too. */
const COMMON = {
  digests: nodeDigests,
  limits: { expireAfterMs: EXPIRE_AFTER_MS },
  memoryBytes: 128 * 1024,
} satisfies Partial<EngineOptions>
const PACE = { checkpointBytes: 20_000, checkpointMs: 1000, stopGraceMs: 1 }

export function memorySystem(): System {
  const store = memoryStore()
  const catalog = lasting(memoryCatalog())
  const clock = new FakeClock()
  let life = { isOver: false }
  const start = (): Engine => {
    life = { isOver: false }
    return createEngine({
      ...COMMON,
      pace: PACE,
      store: mortal(store, life),
      catalog: mortal(catalog, life),
      clock,
    })
  }
  let engine = start()
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    let isOver = false
    void promise.then(
      () => (isOver = true),
      () => (isOver = true),
    )
    for (let turn = 0; turn < 3000; turn += 1) {
      await quiet()
      if (isOver) break
      await clock.advance(1)
    }
    if (!isOver) throw new Error('this does not come to its end')
    return promise
  }
  const next = async (): Promise<void> => {
    engine = start()
    await engine.recover()
  }
  return {
    get engine() {
      return engine
    },
    nowMs: () => clock.nowMs(),
    shift: (byMs) => clock.advance(byMs),
    settled,
    rest: () => clock.advance(200),
    crash() {
      life.isOver = true
      return next()
    },
    async restart() {
      await settled(engine.close(10_000))
      await next()
    },
    dispose: () => Promise.resolve(),
  }
}

/** The machine's clock, which can jump. */
class JumpingClock implements Clock {
  aheadMs = 0

  nowMs(): number {
    return Date.now() + this.aheadMs
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  }
}

interface Generation {
  readonly root: string
  readonly engine: Engine
}

/**
 * A file store and a SQLite catalog. A crash is a copy of the directory at one moment: fresh instances on the copy
 * find what a killed process would have left.
 */
export async function diskSystem(): Promise<System> {
  const clock = new JumpingClock()
  const pids = { last: 0 }
  const start = async (root: string): Promise<Generation> => {
    pids.last += 1
    const self: ProcessIdentity = { pid: pids.last, started: '', boot: 'this', namespace: '' }
    const catalog = await sqliteCatalog({
      path: join(root, 'carryon.db'),
      durability: 'process',
      thread: 'same',
      processes: { self, isProvenDead: ({ pid }) => pid !== self.pid },
    })
    const store = fileStore({
      dir: join(root, 'data'),
      completedDir: join(root, 'done'),
      durability: 'process',
    })
    const engine = createEngine({ ...COMMON, pace: { ...PACE, idleFlushMs: 0 }, store, catalog, clock })
    await engine.recover()
    return { root, engine }
  }
  const newRoot = (): string => mkdtempSync(join(tmpdir(), 'carryon-model-'))
  const end = async ({ root, engine }: Generation): Promise<void> => {
    await engine.close(1000)
    await rm(root, { recursive: true, force: true })
  }
  let now = await start(newRoot())
  return {
    get engine() {
      return now.engine
    },
    nowMs: () => clock.nowMs(),
    async shift(byMs) {
      clock.aheadMs += byMs
    },
    settled: (promise) => promise,
    rest: () => new Promise((resolve) => void setTimeout(resolve, 5)),
    async crash() {
      const dead = now
      const root = newRoot()
      // One blocking call: nothing of this process happens in between. Hard links stay what they are.
      execFileSync('cp', ['-a', `${dead.root}/.`, root])
      now = await start(root)
      await end(dead)
    },
    async restart() {
      await now.engine.close(10_000)
      now = await start(now.root)
    },
    dispose: () => end(now),
  }
}
