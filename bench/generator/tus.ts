import { createHash } from 'node:crypto'
import type { RawConnection } from './connection.ts'
import { pieces, sha256Of } from './content.ts'
import type { Extent } from './content.ts'
import type { RawResponse } from './response.ts'

const common = 'Tus-Resumable: 1.0.0\r\n'
const stream = 'Content-Type: application/offset+octet-stream\r\n'
/** `filename` = `bench.bin`: clients in the field always send one. */
const metadata = 'Upload-Metadata: filename YmVuY2guYmlu\r\n'

function expectStatus(response: RawResponse, status: number, what: string): void {
  if (response.status !== status) {
    throw new Error(`${what}: expected ${status}, got ${response.status} ${response.text}`)
  }
}

function expectOffset(response: RawResponse, offset: number, what: string): void {
  const said = response.field('upload-offset')
  if (said !== String(offset)) throw new Error(`${what}: expected Upload-Offset ${offset}, got ${said}`)
}

/** The path of a new upload; whatever host the server names, the load stays on 127.0.0.1. */
function locationOf(response: RawResponse): string {
  const location = response.field('location')
  if (location === undefined) throw new Error('POST: no Location')
  const { pathname, search } = new URL(location, 'http://127.0.0.1')
  return pathname + search
}

/** Creates an upload. @returns its path. */
export async function createUpload(
  connection: RawConnection,
  target: { path: string },
  lengthBytes: number,
): Promise<string> {
  const fields = `${common}${metadata}Upload-Length: ${lengthBytes}\r\nContent-Length: 0\r\n`
  const response = await connection.request({ method: 'POST', path: target.path, fields })
  expectStatus(response, 201, 'POST')
  return locationOf(response)
}

/** Creates an upload with its whole content in the same request (creation-with-upload). @returns its path. */
export async function createWithContent(
  connection: RawConnection,
  target: { path: string },
  extent: Extent,
): Promise<string> {
  const lengths = `Upload-Length: ${extent.bytes}\r\nContent-Length: ${extent.bytes}\r\n`
  const response = await connection.request({
    method: 'POST',
    path: target.path,
    fields: common + metadata + stream + lengths,
    body: pieces(extent),
  })
  expectStatus(response, 201, 'POST with content')
  expectOffset(response, extent.bytes, 'POST with content')
  return locationOf(response)
}

/** Sends one PATCH and checks its status and offset. */
export async function append(
  connection: RawConnection,
  path: string,
  options: {
    extent: Extent
    /** Base64 of the SHA-256 of the body. */
    sha256?: string | undefined
    pieceBytes?: number
    pace?: (piece: number) => Promise<void>
  },
): Promise<void> {
  const { extent, sha256, pieceBytes, pace } = options
  const checksum = sha256 === undefined ? '' : `Upload-Checksum: sha256 ${sha256}\r\n`
  const place = `Upload-Offset: ${extent.from}\r\nContent-Length: ${extent.bytes}\r\n`
  const response = await connection.request({
    method: 'PATCH',
    path,
    fields: common + stream + checksum + place,
    body: pieces(extent, pieceBytes),
    ...(pace === undefined ? {} : { pace }),
  })
  expectStatus(response, 204, 'PATCH')
  expectOffset(response, extent.from + extent.bytes, 'PATCH')
}

/** Sends one HEAD and checks the offset in the answer. */
export async function lookUp(connection: RawConnection, path: string, offset: number): Promise<void> {
  const response = await connection.request({ method: 'HEAD', path, fields: common })
  expectStatus(response, 200, 'HEAD')
  expectOffset(response, offset, 'HEAD')
}

/**
 * Sends one GET. @returns the bytes received.
 *
 * Send another request before the connection is closed: @tus/server 2.4.5 under Node 20 ends with
 * `ReadableStream is already closed` when a client leaves right behind the last byte.
 */
export async function download(
  connection: RawConnection,
  path: string,
  onBody?: (chunk: Buffer) => void,
): Promise<number> {
  const request = { method: 'GET', path, fields: common }
  const response = await connection.request(onBody === undefined ? request : { ...request, onBody })
  expectStatus(response, 200, 'GET')
  return response.bodyBytes
}

/** Reads a finished upload back and compares its hash with what was sent. */
export async function checkContent(connection: RawConnection, path: string, extent: Extent): Promise<void> {
  const hash = createHash('sha256')
  const bytes = await download(connection, path, (chunk) => hash.update(chunk))
  await lookUp(connection, path, extent.bytes)
  if (bytes !== extent.bytes) throw new Error(`stored ${bytes} bytes, sent ${extent.bytes}`)
  if (!hash.digest().equals(sha256Of(extent)))
    throw new Error(`the stored content of ${path} is not what was sent`)
}
