import { TransferError } from '../errors.ts'
import type { Slice, SourceOptions } from '../ports/source.ts'

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
  const { startBytes: start = 0, endBytes: end = sizeBytes } = options
  if (options.sizeBytes !== undefined && options.sizeBytes !== sizeBytes) {
    throw new TransferError('source', `the source has ${sizeBytes} bytes instead of ${options.sizeBytes}`)
  }
  const isRange = isCount(start) && (isCount(end) || end === Infinity) && start <= end && end <= sizeBytes
  if (!isRange) {
    const size = sizeBytes === Infinity ? '' : ` of ${sizeBytes} bytes`
    throw new TransferError('source', `there is no range from byte ${start} to ${end} in a source${size}`)
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
  wanted: { start: number; maxBytes: number },
): Omit<Slice, 'content'> {
  const { start, maxBytes } = wanted
  if (start > sizeBytes) throw endsBefore(start, sizeBytes)
  const length = Math.min(maxBytes, sizeBytes - start)
  return { start, sizeBytes: length, isLast: start + length === sizeBytes }
}

export function endsBefore(start: number, sizeBytes: number): TransferError {
  return new TransferError('source', `the source has only ${sizeBytes} bytes, byte ${start} is wanted`, {
    hint: 'The server holds more than there is to send: this may be the upload of another file.',
  })
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
