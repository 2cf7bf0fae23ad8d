import type { FetchHandler } from './fetch.ts'
import type { NodeListener } from './node.ts'

/** What can be served on Node and elsewhere. */
export interface Served {
  readonly fetch: FetchHandler
  readonly listener: NodeListener
}

/**
 * Opens uploads at the first request, and once in the process.
 *
 * For frameworks that run server code while they build it (Next, SvelteKit), load it again after every edit, or know
 * no `await` outside of functions (Nuxt).
 *
 * @param name - What is opened under one name is opened once in the process; other options count after a restart.
 * @param open - For instance `() => openUploads({ dir: './uploads' })`. When it fails, the next request tries again.
 */
export function openOnce(name: string, open: () => Promise<Served>): Served {
  // Kept outside of the module, which after an edit is there a second time.
  const shared = globalThis as { [key: symbol]: Promise<Served> | undefined }
  const key = Symbol.for(`carryon.openOnce.${name}`)
  const opened = async (): Promise<Served> => {
    const opening = (shared[key] ??= open())
    try {
      return await opening
    } catch (error) {
      shared[key] = undefined
      throw error
    }
  }
  return {
    fetch: async (request, context) => (await opened()).fetch(request, context),
    listener(request, response, next) {
      opened().then(
        (uploads) => uploads.listener(request, response, next),
        (error: unknown) => {
          response.writeHead(500).end()
          // Nobody waits for a listener: without this the reason would be lost.
          throw error
        },
      )
    },
  }
}
