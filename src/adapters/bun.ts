import type { FetchContext } from './fetch.ts'
import type { ServedByFetch } from './served.ts'
import { fetchOf } from './served.ts'

/** What is used of Bun's server. */
export interface BunServer {
  requestIP(request: Request): { readonly address: string } | null
  timeout(request: Request, seconds: number): void
}

/** `undefined` is answered for a path that is not ours. */
export type BunFetch = (request: Request, server: BunServer) => Promise<Response | undefined>

/**
 * Serves uploads in `Bun.serve`: `fetch: async (request, server) => (await files(request, server)) ?? …`.
 *
 * More than `uploads.fetch`: it knows the client's address, and Bun does not give an upload up that is silent for
 * ten seconds; the engine's own idle timeout takes the place of that.
 */
export function bunUploads(uploads: ServedByFetch): BunFetch {
  const handle = fetchOf(uploads)
  return (request, server) => handle(request, bunContext(request, server))
}

/** Prepares a request of Bun for an upload. @returns What is known of its connection. */
export function bunContext(request: Request, server: BunServer): FetchContext {
  // Requests of the app keep their time limit.
  if (request.headers.has('tus-resumable')) server.timeout(request, 0)
  return { peerAddress: server.requestIP(request)?.address }
}
