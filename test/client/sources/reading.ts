import type { Slice, SourceOptions } from '../../../src/client/ports/source.ts'
import { collected } from '../../support/bytes.ts'

export const never: AbortSignal = new AbortController().signal

/** Options with a small replay buffer. */
export function options(given: Partial<SourceOptions> = {}): SourceOptions {
  return { replayBufferBytes: 1024, ...given }
}

/** The bytes of a slice, as a transport reads them. */
export async function bytesIn(slice: Slice, signal: AbortSignal = never): Promise<Uint8Array> {
  const { content } = slice
  if (content.kind === 'bytes') return content.bytes
  if (content.kind === 'blob') return new Uint8Array(await content.blob.arrayBuffer())
  return await collected(content.chunks(signal))
}

/** What a promise fails with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: unknown) => error,
  )
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
