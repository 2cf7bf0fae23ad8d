/** What an operator can see: Prometheus metrics, liveness, readiness. */
export type { Counter, Gauge, Histogram, Labels, MetricsLibrary, MetricsRegistry } from './library.ts'
export type { HealthOptions, Observability, ObservabilityOptions } from './observability.ts'
export { observability } from './observability.ts'
export type { CheckResult, Readiness } from './readiness.ts'
export type { MemoryUse, MetricsOptions } from './scrape.ts'
