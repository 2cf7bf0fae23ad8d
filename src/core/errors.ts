/**
 * Every failure that a caller can act on. Codes are stable across minor versions, messages are not.
 * Names are those of tusd where one exists, so that clients written for it keep working.
 */
export const ERRORS = {
  ERR_INVALID_OFFSET: {
    status: 400,
    retryable: false,
    message: 'The Upload-Offset field is missing or is not a non-negative integer.',
  },
  ERR_INVALID_UPLOAD_LENGTH: {
    status: 400,
    retryable: false,
    message: 'The Upload-Length field is missing or is not a non-negative integer.',
  },
  ERR_INVALID_UPLOAD_LENGTH_DEFER: {
    status: 400,
    retryable: false,
    message: 'The Upload-Defer-Length field must be 1.',
  },
  ERR_AMBIGUOUS_UPLOAD_LENGTH: {
    status: 400,
    retryable: false,
    message: 'Upload-Length and Upload-Defer-Length exclude each other.',
  },
  ERR_LENGTH_CHANGED: {
    status: 400,
    retryable: false,
    message: 'The length of an upload cannot change once it is set.',
  },
  ERR_INVALID_METADATA: { status: 400, retryable: false, message: 'The Upload-Metadata field is malformed.' },
  ERR_INVALID_CHECKSUM: { status: 400, retryable: false, message: 'The Upload-Checksum field is malformed.' },
  ERR_UNSUPPORTED_CHECKSUM: {
    status: 400,
    retryable: false,
    message: 'The checksum algorithm is not supported.',
  },
  ERR_CHECKSUM_MISMATCH: {
    status: 460,
    retryable: true,
    message: 'The checksum does not fit the content: nothing of this request was stored.',
  },
  ERR_INVALID_CONCAT: { status: 400, retryable: false, message: 'The Upload-Concat field is malformed.' },
  ERR_CONCATENATION_UNSUPPORTED: {
    status: 400,
    retryable: false,
    message: 'This server does not concatenate uploads.',
  },
  ERR_NOT_PARTIAL: { status: 400, retryable: false, message: 'Only partial uploads can be concatenated.' },
  ERR_MODIFY_FINAL: { status: 403, retryable: false, message: 'A final upload cannot be modified.' },
  ERR_INVALID_CONTENT_TYPE: {
    status: 415,
    retryable: false,
    message: 'The content must be sent as application/offset+octet-stream.',
  },
  ERR_INVALID_REQUEST: { status: 400, retryable: false, message: 'The request is malformed.' },
  ERR_BODY_CONSUMED: {
    status: 500,
    retryable: true,
    message:
      'Something before Carryon has read the body of this request: put Carryon before what parses bodies (express.json(), koa-bodyparser, request.json()); in a Next API route, export const config = { api: { bodyParser: false } }.',
  },
  ERR_UNSUPPORTED_VERSION: {
    status: 412,
    retryable: false,
    message: 'This version of the protocol is not supported.',
  },
  ERR_METHOD_NOT_ALLOWED: { status: 405, retryable: false, message: 'The method is not allowed here.' },
  ERR_UPLOAD_NOT_FOUND: { status: 404, retryable: false, message: 'There is no such upload.' },
  ERR_UPLOAD_GONE: {
    status: 410,
    retryable: false,
    message: 'The upload was terminated, has expired or has failed.',
  },
  ERR_UPLOAD_EXISTS: { status: 500, retryable: true, message: 'The upload id is taken.' },
  ERR_MISMATCHED_OFFSET: { status: 409, retryable: true, message: 'The offset differs from what is stored.' },
  ERR_UPLOAD_LOCKED: {
    status: 423,
    retryable: true,
    message: 'Another request is writing this upload and could not be stopped in time.',
  },
  ERR_UPLOAD_STOPPED: {
    status: 409,
    retryable: true,
    message: 'A newer request for the same upload has taken over.',
  },
  ERR_LEASE_LOST: { status: 503, retryable: true, message: 'Another process has taken over this upload.' },
  ERR_UPLOAD_INTERRUPTED: {
    status: 400,
    retryable: true,
    message: 'The body broke off; what has arrived is stored.',
  },
  ERR_READ_TIMEOUT: {
    status: 408,
    retryable: true,
    message: 'The body came too slowly; what has arrived is stored.',
  },
  ERR_MAX_SIZE_EXCEEDED: {
    status: 413,
    retryable: false,
    message: 'The upload is larger than this server allows.',
  },
  ERR_UPLOAD_SIZE_EXCEEDED: {
    status: 413,
    retryable: false,
    message: 'The content goes past the length of the upload.',
  },
  ERR_APPEND_TOO_LARGE: {
    status: 413,
    retryable: false,
    message: 'One request may not bring that much content; send it in several.',
  },
  ERR_QUOTA_EXCEEDED: { status: 413, retryable: false, message: 'The quota of this owner is used up.' },
  ERR_TOO_MANY_UPLOADS: {
    status: 429,
    retryable: true,
    message: 'This owner has too many unfinished uploads.',
  },
  ERR_UPLOAD_REJECTED: { status: 400, retryable: false, message: 'The application rejects this request.' },
  ERR_UPLOAD_TERMINATION_REJECTED: {
    status: 400,
    retryable: false,
    message: 'The application does not let this upload be terminated.',
  },
  ERR_HOOK_FAILED: {
    status: 500,
    retryable: true,
    message: 'The application could not decide about this request.',
  },
  ERR_RANGE_NOT_SATISFIABLE: {
    status: 416,
    retryable: false,
    message: 'The upload has no bytes in that range.',
  },
  ERR_PRECONDITION_FAILED: { status: 412, retryable: false, message: 'The precondition does not hold.' },
  ERR_STORE_FULL: { status: 507, retryable: true, message: 'There is not enough space for this upload.' },
  ERR_STORE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    message: 'The storage does not answer as it should.',
  },
  ERR_CORRUPT_RECORD: {
    status: 410,
    retryable: false,
    message: 'Stored bytes are missing; the upload was deactivated.',
  },
  ERR_SERVER_SHUTDOWN: { status: 503, retryable: true, message: 'The server is shutting down.' },
  ERR_INTERNAL_SERVER_ERROR: { status: 500, retryable: true, message: 'Something failed inside the server.' },
} as const

export type ErrorCode = keyof typeof ERRORS

/** An application's own words for a refusal. What is absent is answered as usual. */
export interface RejectionAnswer {
  readonly status?: number | undefined
  /** Stands before the usual sentence, in the place of ours. */
  readonly code?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
}

/** Facts that an answer may carry. Never anything that a client sent, unless as a checked number. */
export interface ErrorDetails {
  /** The offset that the server has; sent so that a client can go on without asking. */
  readonly offset?: number
  /** When an unfinished upload expires, for answers to its owner. Unix time in milliseconds. */
  readonly expiresAtMs?: number | undefined
  /** Seconds after which a retry makes sense. */
  readonly retryAfterSeconds?: number
  /** What the application wants to be answered instead of the usual words. */
  readonly answer?: RejectionAnswer | undefined
  /** A sentence more exact than the registry's; must not quote the client raw. */
  readonly reason?: string
}

const mark = Symbol.for('carryon.UploadError')

/** A refusal or failure with a stable code. Recognise it by `isUploadError`, not by `instanceof`. */
export class UploadError extends Error {
  override readonly name: string = 'UploadError'
  readonly code: ErrorCode
  /** HTTP status that fits the code. */
  readonly status: number
  /** Whether the same request can succeed later. */
  readonly retryable: boolean
  readonly details: ErrorDetails

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(details.reason ?? ERRORS[code].message, options)
    this.code = code
    this.status = ERRORS[code].status
    this.retryable = ERRORS[code].retryable
    this.details = details
    Object.defineProperty(this, mark, { value: true })
  }
}

/** True for an `UploadError` of any copy of this package. */
export function isUploadError(value: unknown): value is UploadError {
  return typeof value === 'object' && value !== null && mark in value
}

/** Whether an error is an `UploadError` of this code. */
export function hasCode(error: unknown, code: ErrorCode): boolean {
  return isUploadError(error) && error.code === code
}

/** The error as an `UploadError`; anything unexpected becomes `ERR_INTERNAL_SERVER_ERROR` with its cause kept for the log. */
export function toUploadError(error: unknown): UploadError {
  return isUploadError(error) ? error : new UploadError('ERR_INTERNAL_SERVER_ERROR', {}, { cause: error })
}

/** What requests get while the engine closes. */
export function shutdownError(details: ErrorDetails = {}): UploadError {
  return new UploadError('ERR_SERVER_SHUTDOWN', { ...details, retryAfterSeconds: 5 })
}
