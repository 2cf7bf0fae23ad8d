import type { ServedByFetch } from './served.ts'
import { fetchOf } from './served.ts'

/** What is used of SvelteKit's event. */
export interface SvelteKitEvent {
  readonly request: Request
  getClientAddress(): string
}

/** Generic, so that it fits the kit's own type of event. */
export type SvelteKitHandle = <Event extends SvelteKitEvent>(input: {
  readonly event: Event
  readonly resolve: (event: Event) => Response | Promise<Response>
}) => Promise<Response>

/**
 * Serves uploads in SvelteKit. In `src/hooks.server.ts`: `export const handle = svelteKitUploads(uploads)`, or as one
 * of a `sequence`.
 *
 * The path is the `path` of `openUploads`, whole; every other one goes to the app. With `adapter-node` the variable
 * `BODY_SIZE_LIMIT=Infinity` is needed: its default of 512 KiB is less than what clients send.
 */
export function svelteKitUploads(uploads: ServedByFetch): SvelteKitHandle {
  const handle = fetchOf(uploads)
  return async ({ event, resolve }) =>
    (await handle(event.request, { peerAddress: peerOf(event) })) ?? resolve(event)
}

export type SvelteKitRequestHandler = (event: SvelteKitEvent) => Promise<Response>

/**
 * The same as one route. In `src/routes/files/[...id]/+server.ts`:
 * `export const { GET, HEAD, POST, PATCH, DELETE, OPTIONS } = svelteKitRoute(uploads)`.
 */
export function svelteKitRoute(
  uploads: ServedByFetch,
): Readonly<
  Record<'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS', SvelteKitRequestHandler>
> {
  const handle = svelteKitUploads(uploads)
  const route: SvelteKitRequestHandler = (event) =>
    handle({ event, resolve: () => new Response('Not found\n', { status: 404 }) })
  return { GET: route, HEAD: route, POST: route, PUT: route, PATCH: route, DELETE: route, OPTIONS: route }
}

/** Some of the kit's adapters do not know it, and throw. */
function peerOf(event: SvelteKitEvent): string | undefined {
  try {
    return event.getClientAddress()
  } catch {
    return undefined
  }
}
