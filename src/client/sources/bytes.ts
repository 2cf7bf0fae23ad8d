import { SourceChanged } from '../errors.ts'
import type { Source, SourceOptions } from '../ports/source.ts'
import { kindOf } from '../kind-of.ts'
import { memorySource, rangeOf } from './range.ts'

/**
 * Bytes in memory as an array of them; `undefined` for anything else.
 *
 * Nothing is copied, but for shared memory: another thread could change it on its way, and no transport takes it.
 */
export function bytesOf(input: unknown): Uint8Array<ArrayBuffer> | undefined {
  const isView = ArrayBuffer.isView(input)
  const kind = kindOf(isView ? input.buffer : input)
  if (!/^(Shared)?ArrayBuffer$/.test(kind)) return undefined
  const bytes = isView
    ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
    : new Uint8Array(input as ArrayBufferLike)
  return kind === 'ArrayBuffer' ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)
}

/** A source of bytes in memory. They must stay as they are until the upload has ended. */
export function bytesSource(bytes: Uint8Array<ArrayBuffer>, options: SourceOptions): Source {
  const { length } = bytes
  // A buffer that was handed to a worker meanwhile has no bytes any more.
  const verify = (): void => {
    if (bytes.length !== length) throw new SourceChanged('the memory to upload was given away')
  }
  return memorySource(rangeOf(options, length), {
    traits: {},
    verify: async () => verify(),
    content(start, end) {
      verify()
      return { kind: 'bytes', bytes: bytes.subarray(start, end) }
    },
  })
}
