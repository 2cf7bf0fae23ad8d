import { Agent, request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>
  readonly signal?: AbortSignal
}

const TUS = { 'Tus-Resumable': '1.0.0' } as const
const CONTENT = { ...TUS, 'Content-Type': 'application/offset+octet-stream' } as const

/** One client of a tus server, with connections of its own. */
export class HttpClient {
  readonly #agent: Agent = new Agent({ keepAlive: true })

  /** Rejects when the connection breaks before the answer is whole. */
  ask({ method, url, headers = {}, body, signal }: Asked): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = httpRequest(url, { method, headers, agent: this.#agent, signal }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        )
      })
      sent.on('error', reject)
      if (body === undefined || body instanceof Uint8Array) sent.end(body)
      else void pour(body, sent).catch(reject)
    })
  }

  /** @returns URL of the new upload. */
  async create(url: string, length: number, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const answer = await this.ask({
      method: 'POST',
      url,
      headers: { ...TUS, 'Upload-Length': length, 'Content-Length': 0, ...headers },
    })
    return locationOf(answer, url)
  }

  /** Creation with upload of the whole content. @returns URL of the new upload. */
  async createWith(url: string, content: Uint8Array): Promise<string> {
    const headers = { ...CONTENT, 'Upload-Length': content.length, 'Content-Length': content.length }
    return locationOf(await this.ask({ method: 'POST', url, headers, body: content }), url)
  }

  head(url: string, signal?: AbortSignal): Promise<Answer> {
    return this.ask({ method: 'HEAD', url, headers: TUS, ...(signal === undefined ? {} : { signal }) })
  }

  /** The offset that a HEAD answers. */
  async offset(url: string): Promise<number> {
    const answer = await this.head(url)
    if (answer.status !== 200) throw new Error(`HEAD ${url}: ${answer.status}`)
    return offsetOf(answer)
  }

  patch(
    url: string,
    offset: number,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const length = body instanceof Uint8Array ? { 'Content-Length': body.length } : {}
    return this.ask({
      method: 'PATCH',
      url,
      headers: { ...CONTENT, 'Upload-Offset': offset, ...length, ...headers },
      body,
    })
  }

  remove(url: string): Promise<Answer> {
    return this.ask({ method: 'DELETE', url, headers: TUS })
  }

  get(url: string): Promise<Answer> {
    return this.ask({ method: 'GET', url })
  }

  /** Closes its idle connections; one per restart of the server keeps stale ones from failing a later request. */
  close(): void {
    this.#agent.destroy()
  }
}

export function offsetOf(answer: Answer): number {
  const value = answer.headers['upload-offset']
  if (typeof value !== 'string' || !/^\d+$/.test(value)) throw new Error(`Upload-Offset: ${String(value)}`)
  return Number(value)
}

/** The id at the end of an upload's URL. */
export function idOf(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1)
}

function locationOf(answer: Answer, url: string): string {
  const { location } = answer.headers
  if (answer.status !== 201 || location === undefined) {
    throw new Error(`POST ${url}: ${answer.status} ${answer.body.toString()}`)
  }
  return new URL(location, url).href
}

async function pour(body: AsyncIterable<Uint8Array>, sent: ReturnType<typeof httpRequest>): Promise<void> {
  for await (const chunk of body) {
    if (sent.destroyed) return
    if (!sent.write(chunk)) await roomIn(sent)
  }
  sent.end()
}

function roomIn(sent: ReturnType<typeof httpRequest>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      sent.off('drain', done)
      sent.off('close', done)
      resolve()
    }
    sent.on('drain', done)
    sent.on('close', done)
  })
}
