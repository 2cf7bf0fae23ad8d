import { Agent as TlsAgent } from 'node:https'
import type { HttpRequest, HttpResponse, HttpStack, UploadOptions } from 'tus-js-client'
import { DefaultHttpStack, Upload } from 'tus-js-client'
import type { Client } from './client.ts'

/**
 * Uploads with tus-js-client.
 *
 * @returns URL of the upload, once the client says that it has succeeded.
 */
export function tusUpload(content: Buffer, options: UploadOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new Upload(content, {
      retryDelays: [],
      metadata: { filename: 'ten.bin' },
      ...options,
      onError: reject,
      onSuccess: () => resolve(upload.url ?? ''),
    })
    upload.start()
  })
}

/** For a server with a certificate of its own. */
export function stackOverTls(ca: string): HttpStack {
  return new DefaultHttpStack({ agent: new TlsAgent({ ca }) })
}

/** For a server that speaks HTTP/2 without TLS, which tus-js-client does not by itself. */
export class StackOver implements HttpStack {
  readonly #client: Client

  constructor(client: Client) {
    this.#client = client
  }

  createRequest(method: string, url: string): HttpRequest {
    return new RequestOver(this.#client, method, url)
  }

  getName(): string {
    return 'over'
  }
}

class RequestOver implements HttpRequest {
  readonly #client: Client
  readonly #method: string
  readonly #url: string
  readonly #headers: Record<string, string> = {}

  constructor(client: Client, method: string, url: string) {
    this.#client = client
    this.#method = method
    this.#url = url
  }

  getMethod(): string {
    return this.#method
  }

  getURL(): string {
    return this.#url
  }

  setHeader(name: string, value: string): void {
    this.#headers[name] = value
  }

  getHeader(name: string): string | undefined {
    return this.#headers[name]
  }

  setProgressHandler(): void {}

  async send(body?: unknown): Promise<HttpResponse> {
    const bytes = body instanceof Uint8Array ? body : new Uint8Array()
    const {
      status,
      headers,
      body: content,
    } = await this.#client.ask({
      method: this.#method,
      path: new URL(this.#url).pathname,
      headers: this.#headers,
      body: bytes,
    })
    return {
      getStatus: () => status,
      getHeader: (name) => {
        const value = headers[name.toLowerCase()]
        return typeof value === 'string' ? value : undefined
      },
      getBody: () => content.toString(),
      getUnderlyingObject: () => undefined,
    }
  }

  async abort(): Promise<void> {}

  getUnderlyingObject(): unknown {
    return undefined
  }
}
