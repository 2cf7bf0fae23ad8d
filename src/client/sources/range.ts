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
  const { startBytes: start = 0, endBytes: end = sizeBytes, sizeBytes: announced = sizeBytes } = options
  const areWhole = Number.isSafeInteger(start) && (Number.isSafeInteger(end) || end === Infinity)
  if (!areWhole || announced !== sizeBytes || start < 0 || start > end || end > sizeBytes) {
    throw new TransferError(
      'source',
      `there is no range ${start} to ${end} of ${announced} in ${sizeBytes} bytes`,
    )
  }
  return { start, end }
}

/**
 * What a slice of a source of known size covers.
 *
 * @throws {TransferError} `source` when the source ends before the slice starts.
 */
export function extent(
  sizeBytes: number,
  wanted: { readonly start: number; readonly maxBytes: number },
): Omit<Slice, 'content'> {
  const { start, maxBytes } = wanted
  if (start > sizeBytes) throw endsBefore(start, sizeBytes)
  const length = Math.min(maxBytes, sizeBytes - start)
  return { start, sizeBytes: length, isLast: start + length === sizeBytes }
}

export function endsBefore(start: number, sizeBytes: number): TransferError {
  return new TransferError('source', `the source has only ${sizeBytes} bytes, byte ${start} is wanted`)
}

/** A source of what lies in memory, or can be read as if it did. */
export function memorySource(
  range: Range,
  memory: {
    readonly traits: SourceTraits
    content(start: number, end: number): SliceContent
    /** @throws {SourceChanged} */
    verify(): void | Promise<void>
  },
): Source {
  const sizeBytes = range.end - range.start
  return {
    sizeBytes,
    traits: memory.traits,
    isRewindable: true,
    async slice(start, maxBytes, signal) {
      signal.throwIfAborted()
      const place = extent(sizeBytes, { start, maxBytes })
      const first = range.start + start
      return { ...place, content: memory.content(first, first + place.sizeBytes) }
    },
    release: () => undefined,
    verify: async () => await memory.verify(),
    close: async () => undefined,
  }
}
