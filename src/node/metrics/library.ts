/*
 * What is used of prom-client, in its own words. It is handed in rather than imported: an application that has metrics of
 * its own gives the copy and the registry that it has, and whoever wants no metrics loads nothing.
 */

/** Values by label name. */
type Labels = Readonly<Record<string, string>>

export interface Counter {
  inc(labels: Labels, value?: number): void
  inc(value?: number): void
}

export interface Gauge {
  set(labels: Labels, value: number): void
  set(value: number): void
  /** Forgets all values. */
  reset(): void
}

export interface Histogram {
  observe(labels: Labels, value: number): void
  observe(value: number): void
}

/** Where metrics are gathered for a scrape. */
export interface MetricsRegistry {
  readonly contentType: string
  metrics(): Promise<string>
  registerMetric(metric: object): void
  removeSingleMetric(name: string): void
}

interface MetricSettings {
  name: string
  help: string
  labelNames: string[]
  /** None: prom-client would take its global one. */
  registers: never[]
}

/** `import * as promClient from 'prom-client'` (15 or newer). */
export interface MetricsLibrary {
  readonly Counter: new (settings: MetricSettings) => Counter
  readonly Gauge: new (settings: MetricSettings) => Gauge
  readonly Histogram: new (settings: MetricSettings & { buckets: number[] }) => Histogram
  readonly Registry: new () => MetricsRegistry
  /** @param options - `{ register }`; less exact than it is there, where it asks for its own class. */
  collectDefaultMetrics(options: object): void
}
