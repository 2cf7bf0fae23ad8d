import { isUploadError, UploadError } from '../../core/errors.ts'

/** The `code` of an error of `node:fs`, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** What a failed disk call means to a client. The cause is for the log: it names paths. */
export function storeError(error: unknown): UploadError {
  if (isUploadError(error)) return error
  const code = errorCode(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') return new UploadError('ERR_STORE_FULL', {}, { cause: error })
  return new UploadError('ERR_STORE_UNAVAILABLE', {}, { cause: error })
}

/**
 * The same for a file that a record refers to: if it is not there, or is a link or a folder by now, the bytes are lost.
 */
export function lostOr(error: unknown): UploadError {
  const code = errorCode(error)
  if (code === 'ENOENT' || code === 'ELOOP' || code === 'EISDIR' || code === 'ENOTDIR') {
    return corrupt('A file of this upload is missing.', error)
  }
  return storeError(error)
}

export function corrupt(reason: string, cause?: unknown): UploadError {
  return new UploadError('ERR_CORRUPT_RECORD', { reason }, cause === undefined ? undefined : { cause })
}
