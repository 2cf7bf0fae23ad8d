import { contentCases } from './url-storage-contract/content.ts'
import { damageCases } from './url-storage-contract/damage.ts'
import { lockCases } from './url-storage-contract/lock.ts'
import { orderCases } from './url-storage-contract/order.ts'
import type { UrlStorageUnderTest } from './url-storage-contract/case.ts'
import { sharingCases } from './url-storage-contract/sharing.ts'

export type { UrlStorageUnderTest } from './url-storage-contract/case.ts'

export interface UrlStorageContractOptions {
  /** Declares one test, as the test runner at hand does it. */
  readonly test: (name: string, run: () => Promise<void>) => void
  /** Makes a storage without entries that can hold 10,000. Called once per test. */
  readonly factory: () => Promise<UrlStorageUnderTest>
}

/**
 * Declares the tests that every `UrlStorage` has to pass, with nothing skipped: what a storage cannot do is tested for
 * being absent. It runs in pages too.
 *
 * @example
 * ```ts
 * urlStorageContract({ test, factory: async () => ({ storage: memoryUrlStorage(), dispose: async () => {} }) })
 * ```
 */
export function urlStorageContract({ test, factory }: UrlStorageContractOptions): void {
  for (const { name, run } of [
    ...contentCases,
    ...orderCases,
    ...damageCases,
    ...sharingCases,
    ...lockCases,
  ]) {
    test(name, async () => {
      const subject = await factory()
      try {
        await run(subject)
      } finally {
        await subject.dispose()
      }
    })
  }
}
