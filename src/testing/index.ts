export { catalogContract } from './catalog-contract.ts'
export type { CatalogContractOptions, CatalogSharing, CatalogUnderTest } from './catalog-contract.ts'
export { conformance, formatReport } from './conformance/index.ts'
export type {
  CaseResult,
  ConformanceOptions,
  ConformanceReport,
  Evidence,
  FormatOptions,
  Level,
  Status,
} from './conformance/index.ts'
export { hookTransportContract } from './hook-contract.ts'
export type {
  HeardCall,
  HookBehaviour,
  HookPeer,
  HookTransportContractOptions,
  HookTransportUnderTest,
} from './hook-contract.ts'
export { storeContract } from './store-contract.ts'
export type { StoreContractOptions, StoreFixture } from './store-contract.ts'
export { urlStorageContract } from './url-storage-contract.ts'
export type { UrlStorageContractOptions, UrlStorageUnderTest } from './url-storage-contract.ts'
