import type { Store } from '../core/ports/store.ts'
import { appendTests } from './store-contract/append.ts'
import { capabilityTests } from './store-contract/capabilities.ts'
import { concatenateTests } from './store-contract/concatenate.ts'
import { fenceTests } from './store-contract/fence.ts'
import { finishTests } from './store-contract/finish.ts'
import { orphanTests } from './store-contract/orphans.ts'
import { Scene } from './store-contract/scene.ts'
import { readTests } from './store-contract/read.ts'
import { removeTests } from './store-contract/remove.ts'

/** A store for one test, with nothing in it. */
export interface StoreFixture {
  readonly store: Store
  /**
   * A new instance over the same data, as after a restart. The old one is not used any more, and was not
   * necessarily closed. Absent: the data live and die with the instance, which then goes on.
   */
  readonly reopen?: (() => Promise<Store>) | undefined
  /** Called once, after the test. */
  dispose(): Promise<void>
}

export interface StoreContractOptions {
  /** Registers one test with the caller's test runner. */
  readonly test: (name: string, run: () => Promise<void>) => void
  /** Makes a fresh store for each test. */
  readonly factory: () => Promise<StoreFixture>
}

/**
 * What every store has to do, as tests. Capabilities are read from the store: what it offers is tested, what it
 * does not offer must be absent. An implementation is done when all pass.
 *
 * @example
 * ```ts
 * storeContract({ test, factory: async () => ({ store: memoryStore(), dispose: async () => {} }) })
 * ```
 */
export function storeContract(options: StoreContractOptions): void {
  const scenarios = [
    ...appendTests,
    ...fenceTests,
    ...readTests,
    ...finishTests,
    ...removeTests,
    ...concatenateTests,
    ...orphanTests,
    ...capabilityTests,
  ]
  for (const { name, run } of scenarios) {
    options.test(`store: ${name}`, async () => {
      const scene = new Scene(await options.factory())
      try {
        await run(scene)
      } finally {
        await scene.end()
      }
    })
  }
}
