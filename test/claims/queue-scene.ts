import { expect } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import type { Catalog, Queues } from '../../src/core/ports/catalog.ts'
import { ClaimQueue } from '../../src/node/claims/queue.ts'
import type { Claim, ClaimsOptions } from '../../src/node/claims/types.ts'
import { withFaults } from '../support/faults.ts'
import type { Rig } from '../support/rig.ts'
import { lasting, rig } from '../support/rig.ts'
import { onCleanUp } from './scene.ts'

/** A queue over memory with a clock that stands still. */
export interface Scene extends Rig {
  readonly queue: ClaimQueue
  next(options?: ClaimsOptions): Promise<Claim>
  none(options?: ClaimsOptions): Promise<void>
}

export function scene(options: Parameters<typeof rig>[0] = {}): Scene {
  const made = rig(options)
  const report = (error: unknown): void => void made.reports.push(error)
  const queue = new ClaimQueue(made.engine, { durability: 'process', report })
  onCleanUp(() => queue.close(0))
  return {
    ...made,
    queue,
    async next(claimsOptions = {}) {
      const claim = await queue.claim({ timeoutMs: 0, ...claimsOptions })
      if (claim === undefined) throw new Error('there is no claim')
      return claim
    },
    async none(claimsOptions = {}) {
      expect(await queue.claim({ timeoutMs: 0, ...claimsOptions })).toBeUndefined()
    },
  }
}

/** A second process: an engine of its own over the same catalog and store. */
export function neighbour({ catalog, store, clock }: Rig): Scene {
  return scene({ catalog: lasting(catalog), store, clock })
}

/** Those of the engine itself are over soon. */
export async function expectNoTimer({ clock }: Rig): Promise<void> {
  await clock.advance(200)
  expect(clock.pending).toBe(0)
}

export function withQueues(overrides: (queues: Queues) => Partial<Queues>): Catalog {
  const catalog = memoryCatalog()
  return withFaults(catalog, { queues: withFaults(catalog.queues, overrides(catalog.queues)) })
}
