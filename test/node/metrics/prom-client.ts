import * as library from 'prom-client'
import type { MetricsLibrary } from '../../../src/node/metrics/index.ts'

export function promClient(): MetricsLibrary {
  return library
}
