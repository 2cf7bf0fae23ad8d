import type { BunServer } from './bun.ts'
import { bunContext } from './bun.ts'
import type { ServedByFetch } from './served.ts'
import { fetchOf } from './served.ts'

/** What is used of Elysia's context before routing. */
export interface ElysiaContext {
  readonly request: Request
  /** `null` where the app is not served by Bun. */
  readonly server?: BunServer | null
}

export type ElysiaHook = (context: ElysiaContext) => Promise<Response | undefined>

/**
 * Serves uploads in an Elysia app: `app.onRequest(elysiaUploads(uploads))`, which comes before Elysia parses bodies.
 *
 * The path is the `path` of `openUploads`, whole; every other one goes to the app.
 */
export function elysiaUploads(uploads: ServedByFetch): ElysiaHook {
  const handle = fetchOf(uploads)
  // Elysia guesses from the function whether it has to wait for it: an async one leaves no doubt.
  return async function uploadsHook({ request, server }) {
    return await handle(request, server ? bunContext(request, server) : {})
  }
}
