import type { AddressInfo } from 'node:net'
import { afterTest } from '../../e2e/support/after-test.ts'
import { HttpClient } from '../../e2e/support/http-client.ts'
import { temporaryDirectory } from '../../e2e/support/temporary-directory.ts'
import type { Form, FormOptions } from './forms.ts'
import type { Handling, Met } from './handling.ts'

export interface Served {
  readonly origin: string
  readonly port: number
  /** URL of the resumable handler. */
  readonly url: string
  readonly dir: string
  /** Every call of the handler, in order. */
  readonly met: readonly Met[]
  /** What the server could not tell a client. */
  readonly reported: unknown[]
  readonly client: HttpClient
  close(waitMs?: number): Promise<void>
}

/** An app with its resumable handler on a port of its own, until the test is over. */
export async function served(
  form: Form,
  handling: Handling,
  options: Partial<FormOptions> = {},
): Promise<Served> {
  const dir = options.dir ?? (await temporaryDirectory())
  const met: Met[] = []
  const reported: unknown[] = []
  const noting: Handling = (request) => {
    met.push(request)
    return handling(request)
  }
  const report = (error: unknown): void => void reported.push(error)
  const { server, close } = await form.open(noting, { path: '/photos', report, ...options, dir })
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = new HttpClient()
  let isClosed = false
  const end = async (waitMs = 1000): Promise<void> => {
    if (isClosed) return
    isClosed = true
    client.close()
    if (server.listening) server.close()
    server.closeAllConnections()
    await close(waitMs)
  }
  afterTest(end)
  const origin = `http://127.0.0.1:${port}`
  return { origin, port, url: `${origin}/photos`, dir, met, reported, client, close: end }
}
