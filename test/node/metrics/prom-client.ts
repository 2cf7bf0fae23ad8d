import type { MetricsLibrary } from '../../../src/node/metrics/index.ts'

// By a name that the compiler does not follow: the library is the application's choice and may not be there.
const name: string = 'prom-client'
const found = (await import(name).catch(() => undefined)) as MetricsLibrary | undefined

export const hasPromClient: boolean = found !== undefined

export function promClient(): MetricsLibrary {
  if (found === undefined) throw new Error('prom-client is not installed')
  return found
}
