import { until } from '../../e2e/support/until.ts'
import type { ChaosProxy } from '../support/chaos-proxy.ts'
import type { SeenRequest } from '../support/proxied-connection.ts'
import { proxyTo } from '../support/transfers.ts'

/** The way from a page to a server. What happens on it happens at a byte, not at a time. */
export interface Line {
  readonly proxy: ChaosProxy
  /** Creation URL, through the line. */
  readonly endpoint: string
  /** From now on each PATCH comes to a halt behind this byte of its body. */
  haltAt(bytes: number): void
  /** Resolves when so many requests have come to a halt. */
  halted(count?: number): Promise<void>
  /** Ends what has come to a halt; what is sent from now on passes. */
  free(): void
  /** Requests of this method, without those that browsers send by themselves. */
  requests(method: string): readonly SeenRequest[]
}

export async function lineTo(url: string): Promise<Line> {
  let haltBytes: number | undefined
  const proxy = await proxyTo(url, {
    onRequest({ method }) {
      if (method !== 'PATCH' || haltBytes === undefined) return undefined
      return { act: 'stall', of: 'client', afterBytes: haltBytes }
    },
  })
  return {
    proxy,
    endpoint: proxy.through(url),
    haltAt: (bytes) => (haltBytes = bytes),
    async halted(count = 1) {
      await until(`${count} requests come to a halt`, () => proxy.counts.stalls >= count, 10_000)
    },
    free() {
      haltBytes = undefined
      proxy.cutAll()
    },
    requests: (method) =>
      proxy.requests.filter((request) => request.method === method && !isPreflight(request)),
  }
}

export function isPreflight({ headers }: SeenRequest): boolean {
  return headers.has('access-control-request-method')
}
