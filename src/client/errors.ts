/** Stable codes of what can go wrong with a transfer. Messages are not stable. */
export type TransferErrorCode =
  /** No answer: refused, reset, name not found, TLS. */
  | 'network'
  /** The server took too long to answer. */
  | 'timeout'
  /** No byte moved for too long. */
  | 'stall'
  /** The machine was offline for longer than allowed. */
  | 'offline'
  /** The server refused, or failed for longer than allowed; `status` says how. */
  | 'server'
  /** The answer makes no sense, or the server lacks what is required. */
  | 'protocol'
  /** The source cannot be read, has changed, or cannot go back. */
  | 'source'
  /** Cancelled by the caller. */
  | 'aborted'

export interface TransferErrorDetails {
  readonly cause?: unknown
  /** What the user can do about it, one sentence. */
  readonly hint?: string | undefined
  readonly status?: number | undefined
  /** Beginning of the server's answer. */
  readonly body?: string | undefined
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly requestId?: string | undefined
  /** From `Retry-After`. */
  readonly retryAfterMs?: number | undefined
  /**
   * Decides instead of the rules: `true` for what time does not mend, such as a certificate that is not trusted;
   * `false` for what is to be asked once more.
   */
  readonly isFinal?: boolean | undefined
}

/** Why a transfer failed. It has the details it was made with. */
export class TransferError extends Error {
  override readonly name: string = 'TransferError'
  declare readonly code: TransferErrorCode
  /** Always there, since most who look at an error look at it first. */
  readonly status: number | undefined
  declare readonly hint: string | undefined
  declare readonly body: string | undefined
  declare readonly method: string | undefined
  declare readonly url: string | undefined
  declare readonly requestId: string | undefined
  declare readonly retryAfterMs: number | undefined
  declare readonly isFinal: boolean | undefined

  constructor(code: TransferErrorCode, message: string, details: TransferErrorDetails = {}) {
    super(message, details)
    Object.assign(this, details, { code })
  }
}

/** The source is not what it was when the upload began. Nothing more is sent: the bytes would be mixed. */
export class SourceChanged extends TransferError {
  override readonly name = 'SourceChanged'

  constructor(message: string = 'the source has changed') {
    super('source', message, { hint: 'Start a new upload.' })
  }
}

/** The server wants bytes that a stream no longer holds. */
export class SourceNotRewindable extends TransferError {
  override readonly name = 'SourceNotRewindable'

  constructor(offset: number, heldFrom: number) {
    super('source', `the server wants byte ${offset}, held from byte ${heldFrom} on`, {
      hint: 'Allow a larger replay buffer.',
    })
  }
}

/** The server lacks what the caller marked as required. Thrown before a byte is sent. */
export class Unsupported extends TransferError {
  override readonly name = 'Unsupported'

  constructor(what: string) {
    super('protocol', `the server does not support ${what}`)
  }
}

export function isTransferError(error: unknown): error is TransferError {
  return error instanceof TransferError
}
