import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { Http2SecureServer, Http2Server } from 'node:http2'
import type { Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Uploads, UploadsOptions } from '../../../src/node/index.ts'
import { openUploads } from '../../../src/node/index.ts'
import { afterTest } from './after-test.ts'
import { idOf } from './http-client.ts'
import { temporaryDirectory } from './temporary-directory.ts'
import { until } from './until.ts'

type AnyServer = Server | HttpsServer | Http2Server | Http2SecureServer

export interface LocalServer {
  readonly port: number
  /** Creation URL. */
  readonly url: string
  readonly dir: string
  readonly uploads: Uploads
  /** What the server could not tell a client. */
  readonly reported: unknown[]
  /** The plain file of a finished upload, once it is there. */
  completed(url: string): Promise<Buffer>
}

export interface LocalServerOptions extends Omit<UploadsOptions, 'dir' | 'report'> {
  /** @default a plain HTTP/1.1 server */
  readonly server?: AnyServer
  readonly scheme?: 'http' | 'https'
}

/** Uploads served by this process on a port of their own, until the test is over. */
export async function localServer(options: LocalServerOptions = {}): Promise<LocalServer> {
  const { server = createServer(), scheme = 'http', ...rest } = options
  const dir = await temporaryDirectory()
  const reported: unknown[] = []
  const uploads = await openUploads({ ...rest, dir, report: (error) => reported.push(error) })
  uploads.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(async () => {
    server.close()
    if ('closeAllConnections' in server) server.closeAllConnections()
    await uploads.close(1000)
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `${scheme}://127.0.0.1:${port}/files/`,
    dir,
    uploads,
    reported,
    completed: (url) =>
      until(`the plain file of ${url}`, () =>
        readFile(join(dir, 'completed', idOf(url))).catch(() => undefined),
      ),
  }
}
