import type { Counter, Gauge, Histogram, MetricsLibrary, MetricsRegistry } from './library.ts'

/** Makes metrics in one registry, and takes them out again. */
export class MetricMaker {
  readonly #library: MetricsLibrary
  readonly #registry: MetricsRegistry
  readonly #names: string[] = []

  constructor(library: MetricsLibrary, registry: MetricsRegistry) {
    this.#library = library
    this.#registry = registry
  }

  counter(name: string, help: string, labelNames: string[] = []): Counter {
    return this.#registered(name, new this.#library.Counter({ name, help, labelNames, registers: [] }))
  }

  gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return this.#registered(name, new this.#library.Gauge({ name, help, labelNames, registers: [] }))
  }

  histogram(name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram {
    const settings = { name, help, labelNames, buckets, registers: [] }
    return this.#registered(name, new this.#library.Histogram(settings))
  }

  /** The registry may be the application's and outlive us: what we have put there goes, nothing else. */
  removeAll(): void {
    for (const name of this.#names.splice(0)) this.#registry.removeSingleMetric(name)
  }

  #registered<T extends object>(name: string, metric: T): T {
    this.#registry.registerMetric(metric)
    this.#names.push(name)
    return metric
  }
}
