import { SourceChanged } from '../errors.ts'
import type { Source, SourceOptions } from '../ports/source.ts'
import { extent, rangeOf } from './range.ts'

/**
 * Bytes in memory as an array of them; `undefined` for anything else.
 *
 * Nothing is copied, but for shared memory: another thread could change it on its way, and no transport takes it.
 */
export function bytesOf(input: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (ArrayBuffer.isView(input)) {
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
    return isUnshared(bytes) ? bytes : new Uint8Array(bytes)
  }
  // The name is the same in every realm, a frame's `ArrayBuffer` is another class.
  const kind = Object.prototype.toString.call(input)
  if (kind === '[object ArrayBuffer]') return new Uint8Array(input as ArrayBuffer)
  if (kind === '[object SharedArrayBuffer]') return new Uint8Array(new Uint8Array(input as SharedArrayBuffer))
  return undefined
}

/** A source of bytes in memory. They must stay as they are until the upload has ended. */
export function bytesSource(bytes: Uint8Array<ArrayBuffer>, options: SourceOptions): Source {
  const range = rangeOf(options, bytes.byteLength)
  const content = bytes.subarray(range.start, range.end)
  const sizeBytes = content.byteLength
  // A buffer that was handed to a worker meanwhile has no bytes any more.
  const check = (): void => {
    if (content.byteLength !== sizeBytes) throw new SourceChanged('the memory to upload was given away')
  }
  return {
    sizeBytes,
    traits: {},
    isRewindable: true,
    async slice(start, maxBytes, signal) {
      signal.throwIfAborted()
      check()
      const place = extent(sizeBytes, { start, maxBytes })
      return { ...place, content: { kind: 'bytes', bytes: content.subarray(start, start + place.sizeBytes) } }
    },
    release: () => undefined,
    verify: async () => check(),
    close: async () => undefined,
  }
}

function isUnshared(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return Object.prototype.toString.call(bytes.buffer) !== '[object SharedArrayBuffer]'
}
