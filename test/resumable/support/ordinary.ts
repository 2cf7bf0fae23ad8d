import { Content } from '../../../src/node/resumable/content.ts'
import type { OrdinaryRequest } from '../../../src/node/resumable/ordinary-request.ts'

export interface Ordinary {
  readonly request: OrdinaryRequest
  /** Bytes that have been read from the upload so far. */
  readonly readBytes: () => number
  /** Whether whatever reading holds was given back. */
  readonly isGivenBack: () => boolean
}

const BLOCK = Buffer.alloc(64 * 1024, 'carryon ')

/** A request as a handler would be called with, of so many bytes. */
export function ordinary(sizeBytes: number, changes: Partial<OrdinaryRequest> = {}): Ordinary {
  let readBytes = 0
  let isGivenBack = false
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      while (readBytes < sizeBytes) {
        const block = BLOCK.subarray(0, Math.min(BLOCK.length, sizeBytes - readBytes))
        readBytes += block.length
        yield block
      }
    } finally {
      isGivenBack = true
    }
  }
  const request: OrdinaryRequest = {
    method: 'POST',
    target: '/photos?album=3',
    host: 'photos.example',
    isSecure: true,
    peerAddress: '10.1.2.3',
    mount: undefined,
    headers: { 'content-type': 'image/png', 'content-length': String(sizeBytes) },
    content: new Content(read),
    upload: {
      uploadId: 'some-upload',
      idempotencyKey: 'some-upload',
      attempt: 1,
      metadata: {},
      serverMetadata: {},
      owner: undefined,
      sizeBytes,
      path: undefined,
    },
    signal: new AbortController().signal,
    ...changes,
  }
  return { request, readBytes: () => readBytes, isGivenBack: () => isGivenBack }
}

/** How a promise ends, for those that should not. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'nothing failed',
    (error: unknown) => error,
  )
}
