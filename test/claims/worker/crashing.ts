import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { sqliteCatalog } from '../../../src/catalogs/sqlite/index.ts'
import { createEngine } from '../../../src/core/engine.ts'
import type { Catalog } from '../../../src/core/ports/catalog.ts'
import { ClaimQueue } from '../../../src/node/claims/queue.ts'
import { fileStore } from '../../../src/stores/file/index.ts'
import type { Crashing } from './child.ts'

/** Steps that change something which another process can see. */
const FILE_CALLS = ['mkdir', 'link', 'rename', 'unlink', 'open', 'chmod', 'copyFile'] as const
const STORE_CALLS = ['link', 'unlink', 'open', 'copyFile', 'writev', 'ftruncate'] as const
const CATALOG_CALLS = ['update', 'acquire', 'release'] as const
const QUEUE_CALLS = ['take', 'extend', 'release', 'done'] as const

/** Prints the steps that it came by, one a line, as it comes by them. */
export async function crashingWorker(task: Crashing): Promise<void> {
  let count = 0
  const step = (name: string): void => {
    count += 1
    fs.writeSync(1, `${name}\n`)
    if (count === task.killBefore) process.kill(process.pid, 'SIGKILL')
  }
  const catalog = stepping(await sqliteCatalog({ path: join(task.dir, 'carryon.db'), thread: 'same' }), step)
  const store = fileStore({
    dir: join(task.dir, 'data'),
    completedDir: task.completed ? join(task.dir, 'completed') : undefined,
  })
  const engine = createEngine({ store, catalog })
  const queue = new ClaimQueue(engine, {
    durability: 'power',
    report: (error) => process.stderr.write(String(error)),
  })
  tap(fs.promises, FILE_CALLS, (name) => step(`fs.promises.${name}`))
  tap(fs, STORE_CALLS, (name) => step(`fs.${name}`))
  syncBuiltinESMExports()
  const claim = await queue.claim({ leaseMs: task.leaseMs, timeoutMs: 0 })
  if (claim === undefined) throw new Error('there is no claim')
  await claim.save(`${task.dest}/${claim.record.metadata.filename}`, { overwrite: task.overwrite })
  await claim.done()
  process.exit(0)
}

function stepping(catalog: Catalog, step: (name: string) => void): Catalog {
  const queues = tapped(catalog.queues, QUEUE_CALLS, (name) => step(`queues.${name}`))
  const steps = tapped(catalog, CATALOG_CALLS, (name) => step(`catalog.${name}`))
  return new Proxy(steps, { get: (target, name) => (name === 'queues' ? queues : member(target, name)) })
}

function tapped<T extends object>(real: T, names: readonly string[], step: (name: string) => void): T {
  return new Proxy(real, {
    get(target, name) {
      const value = member(target, name)
      if (typeof value !== 'function' || typeof name !== 'string' || !names.includes(name)) return value
      return (...values: unknown[]): unknown => {
        step(name)
        return Reflect.apply(value, target, values)
      }
    },
  })
}

function member(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target)
  return typeof value === 'function' ? (value.bind(target) as unknown) : value
}

function tap(target: object, names: readonly string[], step: (name: string) => void): void {
  for (const name of names) {
    const real: unknown = Reflect.get(target, name)
    if (typeof real !== 'function') throw new TypeError(`there is no ${name}`)
    Reflect.set(target, name, (...values: unknown[]): unknown => {
      if (name !== 'open' || (Number(values[1]) & fs.constants.O_CREAT) !== 0) step(name)
      return Reflect.apply(real, target, values)
    })
  }
}
