import type { UploadError } from '../core/errors.ts'
import type { Outcome, Reply } from './exchange.ts'
import type { UploadRequest } from './request.ts'

/**
 * One protocol of the server. Dialects are asked in order, the first that claims a request answers it; the fields
 * of all of them stand together in the answer to `OPTIONS`.
 */
export interface DialectServer {
  readonly name: string
  /** Whether this request speaks this dialect. */
  claims(request: UploadRequest): boolean
  answer(request: UploadRequest): Promise<Outcome>
  /** Puts an error into the words of the dialect. */
  refuse(request: UploadRequest, error: UploadError): Reply
  /** Fields that tell clients what this dialect can do here. */
  discover(request: UploadRequest): Readonly<Record<string, string>>
}
