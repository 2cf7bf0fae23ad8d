import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** What a discarding server remembers of an upload. */
interface DiscardedUpload {
  readonly length: number | undefined
  /** Bytes that came; they are gone. */
  bytes: number
}

export interface DiscardingServer {
  /** Where uploads are created, and where `curl -T` may PUT to. */
  readonly url: string
  /** By path. */
  readonly uploads: Map<string, DiscardedUpload>
  /** `METHOD path` of each request. */
  readonly requests: string[]
  close(): Promise<void>
}

/**
 * Counts bytes and drops them, for speed tests: HTTP is read by hand, so that the server costs next to nothing beside
 * the client. Bodies need a `Content-Length`.
 */
export async function discardingServer(): Promise<DiscardingServer> {
  const uploads = new Map<string, DiscardedUpload>()
  const requests: string[] = []
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true, highWaterMark: 1024 * 1024 }, (socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => undefined)
    const connection = new Connection(socket, uploads, requests)
    socket.on('data', (chunk: Buffer) => connection.take(chunk))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/files/`,
    uploads,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}

class Connection {
  readonly #socket: Socket
  readonly #uploads: Map<string, DiscardedUpload>
  readonly #requests: string[]
  #pending: Buffer | undefined
  #bodyLeft = 0
  #upload: DiscardedUpload | undefined
  #answer: () => string = () => ''

  constructor(socket: Socket, uploads: Map<string, DiscardedUpload>, requests: string[]) {
    this.#socket = socket
    this.#uploads = uploads
    this.#requests = requests
  }

  take(chunk: Buffer): void {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#bodyLeft === 0) rest = this.#takeHead(rest)
      const part = Math.min(rest.length, this.#bodyLeft)
      if (part === 0) continue
      this.#bodyLeft -= part
      if (this.#upload !== undefined) this.#upload.bytes += part
      if (this.#bodyLeft === 0) this.#socket.write(this.#answer())
      rest = rest.subarray(part)
    }
  }

  /** @returns What follows the head. */
  #takeHead(chunk: Buffer): Buffer {
    const all = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk])
    const end = all.indexOf('\r\n\r\n')
    this.#pending = end < 0 ? all : undefined
    if (end < 0) return Buffer.alloc(0)
    this.#begin(all.toString('latin1', 0, end))
    return all.subarray(end + 4)
  }

  #begin(head: string): void {
    const [method = '', path = ''] = head.split(' ', 2)
    const field = (name: string): string | undefined =>
      new RegExp(`^${name}: *(.*?) *$`, 'im').exec(head)?.[1]
    this.#requests.push(`${method} ${path}`)
    this.#bodyLeft = Number(field('content-length') ?? 0)
    if (/^expect:/im.test(head)) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n')
    this.#answer = this.#handle(method, path, field)
    if (this.#bodyLeft === 0) this.#socket.write(this.#answer())
  }

  #handle(method: string, path: string, field: (name: string) => string | undefined): () => string {
    if (method === 'OPTIONS') {
      return () =>
        answer(204, 'Tus-Version: 1.0.0\r\nTus-Extension: creation,creation-with-upload,termination')
    }
    if (method === 'POST' || method === 'PUT') {
      const length = field('upload-length') ?? field('content-length')
      const upload = { length: length === undefined ? undefined : Number(length), bytes: 0 }
      const made = method === 'PUT' ? path : `/files/${this.#uploads.size}`
      this.#uploads.set(made, upload)
      this.#upload = upload
      return () => answer(201, `Location: ${made}\r\nUpload-Offset: ${upload.bytes}\r\nContent-Length: 0`)
    }
    const upload = this.#uploads.get(path)
    this.#upload = method === 'PATCH' ? upload : undefined
    if (upload === undefined) return () => answer(404, 'Content-Length: 0')
    if (method === 'DELETE') this.#uploads.delete(path)
    const length = upload.length === undefined ? '' : `\r\nUpload-Length: ${upload.length}`
    return () => answer(method === 'HEAD' ? 200 : 204, `Upload-Offset: ${upload.bytes}${length}`)
  }
}

function answer(status: number, fields: string): string {
  return `HTTP/1.1 ${status} OK\r\nTus-Resumable: 1.0.0\r\n${fields}\r\n\r\n`
}
