import { TransferError, isTransferError } from '../errors.ts'

/** A browser does not say why there is no answer. What is told already stays as it is. */
export function noAnswer(cause?: unknown): TransferError {
  if (isTransferError(cause)) return cause
  return new TransferError('network', 'no answer', {
    cause,
    hint: 'Check the server, and its CORS.',
  })
}
