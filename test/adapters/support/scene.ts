import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HttpStack } from 'tus-js-client'
import type { Uploads } from '../../../src/node/index.ts'
import { openUploads } from '../../../src/node/index.ts'
import { until } from '../../e2e/support/until.ts'
import type { Answer, Client, HalfOpen } from './client.ts'
import { http1Client, http2Client } from './client.ts'
import { CERTIFICATE } from './node-stages.ts'
import type { Running, Stage } from './stage.ts'
import { stackOverTls, StackOver } from './tus-upload.ts'

export const TUS: Readonly<Record<string, string>> = { 'Tus-Resumable': '1.0.0' }
const CONTENT = { ...TUS, 'Content-Type': 'application/offset+octet-stream' }

type Fields = Readonly<Record<string, string | number>>

/** One stage on one directory, and a client that speaks to it. */
export class Scene {
  readonly stage: Stage
  readonly dir: string
  readonly uploads: Uploads
  readonly client: Client
  readonly origin: string
  /** What the server could not tell its clients. */
  readonly reported: unknown[]
  readonly #running: Running

  private constructor(
    parts: Pick<Scene, 'stage' | 'dir' | 'uploads' | 'reported'>,
    client: Client,
    running: Running,
  ) {
    this.stage = parts.stage
    this.dir = parts.dir
    this.uploads = parts.uploads
    this.reported = parts.reported
    this.client = client
    this.origin = running.origin
    this.#running = running
  }

  static async open(stage: Stage, parsesFirst = false): Promise<Scene> {
    const dir = await mkdtemp(join(tmpdir(), 'carryon-adapters-'))
    const reported: unknown[] = []
    const report = (error: unknown): void => void reported.push(error)
    // No syncs: what survives a power cut is not what these cases are about.
    const uploads = await openUploads({ dir, durability: 'process', report })
    const running = await stage.start(uploads, parsesFirst)
    const client = clientFor(stage, running.origin)
    return new Scene({ stage, dir, uploads, reported }, client, running)
  }

  async close(): Promise<void> {
    this.client.close()
    await this.#running.stop()
    await this.uploads.close(1000)
    await rm(this.dir, { recursive: true, force: true })
  }

  /** What tus-js-client needs to speak to this stage. */
  get httpStack(): HttpStack | undefined {
    if (this.stage.speaks === 'https') return stackOverTls(CERTIFICATE.toString())
    return this.stage.speaks === 'h2c' ? new StackOver(this.client) : undefined
  }

  create(length: number, headers: Fields = {}, body: Uint8Array | string = ''): Promise<Answer> {
    const fields = { ...TUS, 'Upload-Length': length, ...headers }
    return this.client.ask({ method: 'POST', path: '/files/', headers: fields, body })
  }

  /** Creation with upload. */
  createWith(body: Uint8Array, length: number = body.length): Promise<Answer> {
    return this.create(length, CONTENT, body)
  }

  /** @returns Path of a new upload. */
  async created(length: number, headers: Fields = {}): Promise<string> {
    return pathOf(await this.create(length, headers))
  }

  patch(path: string, offset: number, body: Uint8Array | string, headers: Fields = {}): Promise<Answer> {
    const fields = { ...CONTENT, 'Upload-Offset': offset, ...headers }
    return this.client.ask({ method: 'PATCH', path, headers: fields, body })
  }

  /** A PATCH that announces `length` bytes and sends none yet. */
  beginPatch(path: string, offset: number, length?: number): HalfOpen {
    const announced = length === undefined ? {} : { 'Content-Length': length }
    const headers = { ...CONTENT, 'Upload-Offset': offset, ...announced }
    return this.client.begin({ method: 'PATCH', path, headers })
  }

  head(path: string): Promise<Answer> {
    return this.client.ask({ method: 'HEAD', path, headers: TUS })
  }

  get(path: string, headers: Fields = {}): Promise<Answer> {
    return this.client.ask({ method: 'GET', path, headers })
  }

  /** The offset that a HEAD answers; `undefined` where it is refused. */
  async offset(path: string): Promise<number | undefined> {
    const { status, headers } = await this.head(path)
    return status === 200 ? Number(headers['upload-offset']) : undefined
  }

  /** Resolves when an unfinished upload has that many bytes in its file. */
  async stored(path: string, bytes: number): Promise<void> {
    const file = join(this.dir, 'data', path.slice(path.lastIndexOf('/') + 1))
    await until(`${bytes} bytes are stored`, async () => {
      const facts = await stat(file).catch(() => undefined)
      return facts?.size === bytes
    })
  }
}

/** The path in the `Location` of a 201. */
export function pathOf(answer: Answer): string {
  if (answer.status !== 201) throw new Error(`no creation: ${answer.status} ${answer.body.toString()}`)
  return new URL(String(answer.headers.location), 'http://nowhere').pathname
}

function clientFor({ speaks }: Stage, origin: string): Client {
  if (speaks === 'h2c') return http2Client(origin)
  return http1Client(origin, speaks === 'https' ? CERTIFICATE.toString() : undefined)
}
