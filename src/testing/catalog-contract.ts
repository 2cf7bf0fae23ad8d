import type { ContractCase, CatalogUnderTest } from './catalog-contract/case.ts'
import { claimCases } from './catalog-contract/claims.ts'
import { durabilityCases } from './catalog-contract/durability.ts'
import { leaseCases } from './catalog-contract/leases.ts'
import { listCases } from './catalog-contract/listing.ts'
import { ownerCases } from './catalog-contract/owners.ts'
import { givenUpCases, holdingCases } from './catalog-contract/queue-holding.ts'
import { queueSharingCases } from './catalog-contract/queue-sharing.ts'
import { queueCases } from './catalog-contract/queues.ts'
import { recordCases } from './catalog-contract/records.ts'
import { takeoverCases } from './catalog-contract/takeover.ts'

export type { CatalogSharing, CatalogUnderTest } from './catalog-contract/case.ts'

export interface CatalogContractOptions {
  /** Declares one test, as the test runner at hand does it. */
  readonly test: (name: string, run: () => Promise<void>) => void
  /** Makes a catalog without records. Called once per test. */
  readonly factory: () => Promise<CatalogUnderTest>
}

/**
 * Declares the tests that every `Catalog` has to pass, with nothing skipped: what a catalog cannot do is tested for
 * being absent.
 */
export function catalogContract({ test, factory }: CatalogContractOptions): void {
  const cases: readonly ContractCase[] = [
    ...recordCases,
    ...listCases,
    ...ownerCases,
    ...queueCases,
    ...holdingCases,
    ...givenUpCases,
    ...claimCases,
    ...durabilityCases,
    ...leaseCases,
    ...takeoverCases,
    ...queueSharingCases,
  ]
  for (const { name, run } of cases) {
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
