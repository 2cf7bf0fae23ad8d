import { AsyncLocalStorage } from 'node:async_hooks'
import type { Circumstances } from './ordinary-request.ts'

/** The request that something happens for, as the runtime gave it: hooks and the gate see only facts. */
export interface Asked {
  /** A `Request`, or Node's own. */
  readonly raw: object
  readonly circumstances: Circumstances
}

const current = new AsyncLocalStorage<Asked>()

export function asking<T>(asked: Asked, work: () => T): T {
  return current.run(asked, work)
}

export function whoAsks(): Asked | undefined {
  return current.getStore()
}
