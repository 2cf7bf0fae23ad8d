import { TransferError } from '../errors.ts'

/** A browser does not say why there is no answer. */
export function noAnswer(url: string, cause?: unknown): TransferError {
  return new TransferError('network', `no answer from ${new URL(url).host}`, {
    cause,
    hint: 'Is the server up, and does its CORS allow this page?',
  })
}
