/** What an operator can see: Prometheus metrics, liveness, readiness. */
export type { MetricsLibrary, MetricsRegistry } from './library.ts'
export type { HealthOptions, Observability, ObservabilityOptions } from './observability.ts'
export { observability } from './observability.ts'
export type { MetricsOptions } from './scrape.ts'
