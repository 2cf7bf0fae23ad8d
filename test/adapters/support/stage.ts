import type { Server } from 'node:http'
import type { Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Uploads } from '../../../src/node/index.ts'

/** What every app says at `GET /hello`. */
export const HELLO = 'the rest of the app'

/** An app that serves uploads at `/files/` and has routes of its own: `GET /hello`, `POST /echo` (JSON and back). */
export interface Running {
  readonly origin: string
  readonly stop: () => Promise<void> | void
}

/** One way to serve uploads. */
export interface Stage {
  readonly name: string
  /** The module under `carryon/adapters/` that does it. */
  readonly adapter: string
  /** @default 'http1' */
  readonly speaks?: 'http1' | 'https' | 'h2c'
  /** Works on Node's request: reads trailers, and resets what is pre-empted. Otherwise it speaks `Request → Response`. */
  readonly onNode: boolean
  /** Where this is not a real server of the framework, but its handlers called as functions. */
  readonly asFunctions?: true
  /** @param parsesFirst - Something reads every body before Carryon gets to it. */
  start(uploads: Uploads, parsesFirst: boolean): Promise<Running>
}

/** Listens on a port of its own. */
export async function listening(server: Server | Http2Server, scheme = 'http'): Promise<Running> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `${scheme}://127.0.0.1:${port}`,
    stop() {
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
    },
  }
}
