import { TransferError } from '../errors.ts'
import type { Slice, SliceContent, Source, SourceOptions, SourceTraits } from '../ports/source.ts'

/** The part of an input that is sent: first byte, and end (exclusive). */
export interface Range {
  readonly start: number
  readonly end: number
}

/**
 * The range asked for, checked against the input.
 *
 * @param sizeBytes - Bytes of the input; for a stream what its caller says, else no limit is known.
 * @throws {TransferError} `source` when the input has no such range or not the size that was announced.
 */
export function rangeOf(
  options: Partial<SourceOptions>,
  sizeBytes: number = options.sizeBytes ?? Infinity,
): Range {
  const { startBytes: start = 0, sizeBytes: announced = sizeBytes, endBytes: end = announced } = options
  const isThere = start >= 0 && start <= end && end <= sizeBytes && announced === sizeBytes
  // Fractions are refused; of Infinity the remainder is NaN.
  if (isThere && !(start % 1 || end % 1)) return { start, end }
  throw new TransferError('source', `no range ${start} to ${end} in ${sizeBytes} bytes`)
}

/**
 * What a slice of a source of known size covers.
 *
 * @throws {TransferError} `source` when the source ends before the slice starts.
 */
export function extent(sizeBytes: number, start: number, maxBytes: number): Omit<Slice, 'content'> {
  if (start > sizeBytes) throw endsBefore(start, sizeBytes)
  const length = Math.min(maxBytes, sizeBytes - start)
  return { start, sizeBytes: length, isLast: start + length === sizeBytes }
}

export function endsBefore(start: number, sizeBytes: number): TransferError {
  return new TransferError('source', `only ${sizeBytes} bytes, no byte ${start}`)
}

/** A source of what lies in memory, or can be read as if it did. */
export function memorySource(
  { start: first, end }: Range,
  memory: {
    readonly traits: SourceTraits
    readonly content: (start: number, end: number) => SliceContent
    /** @throws {SourceChanged} */
    readonly verify: () => Promise<void>
  },
): Source {
  const { traits, content, verify } = memory
  const sizeBytes = end - first
  return {
    sizeBytes,
    traits,
    isRewindable: true,
    async slice(start, maxBytes, signal) {
      signal.throwIfAborted()
      const place = extent(sizeBytes, start, maxBytes)
      const from = first + start
      return { ...place, content: content(from, from + place.sizeBytes) }
    },
    release() {},
    verify,
    async close() {},
  }
}
