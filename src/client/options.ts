import type { TransferError } from './errors.ts'
import type { ChecksumAlgorithm } from './ports/platform.ts'
import type { UrlStorage } from './ports/url-storage.ts'
import type { ResponseHead } from './ports/transport.ts'

/** Header fields, or a function that is asked before each request. */
export type HeadersOption =
  | Readonly<Record<string, string>>
  | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>)

/** A request about to be sent; headers may be set. */
export interface OutgoingRequest {
  readonly method: string
  readonly url: string
  readonly headers: Map<string, string>
}

/** What every call to a server needs. */
export interface RequestOptions {
  readonly headers?: HeadersOption | undefined
  /** Value of `Authorization`. Asked again, once for all that wait, when the server answers 401. */
  readonly auth?: (() => string | Promise<string>) | undefined
  /** Sends PATCH, HEAD and DELETE as POST with `X-HTTP-Method-Override`. @default false */
  readonly methodOverride?: boolean | undefined
  /** Adds a random `X-Request-ID`, shown in errors and reports. @default false */
  readonly requestIds?: boolean | undefined
  readonly beforeRequest?: ((request: OutgoingRequest) => void | Promise<void>) | undefined
  readonly afterResponse?:
    | ((request: OutgoingRequest, response: ResponseHead) => void | Promise<void>)
    | undefined
  /** Gives up a request when no byte has moved for this long. @default 30 s */
  readonly stallTimeoutMs?: number | undefined
  /** Gives up a request when the answer has not begun this long after the last byte was sent. @default 60 s */
  readonly responseTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What can be degraded when a server lacks it, and what may be marked as required. */
export type Feature = 'parallel' | 'checksum' | 'deferred-length' | 'termination'

export interface RetryOptions {
  /** Online time without an accepted byte after which an upload fails. @default 15 min */
  readonly retryBudgetMs?: number | undefined
  /** First upper bound of the random delay; doubles with each attempt. @default 500 */
  readonly retryBaseMs?: number | undefined
  /** @default 30 s */
  readonly retryMaxMs?: number | undefined
  /**
   * Decides about one failure: `false` gives up, `true` retries after the usual delay, `{ delayMs }` after this one,
   * `undefined` leaves it to the rules.
   */
  readonly shouldRetry?:
    | ((error: TransferError, attempt: number) => RetryAnswer | Promise<RetryAnswer>)
    | undefined
}

export type RetryAnswer = boolean | { readonly delayMs: number } | undefined

export interface UploadOptions extends RequestOptions, RetryOptions {
  /** Where uploads are created. Needed unless `uploadUrl` is given. */
  readonly endpoint?: string | URL | undefined
  /** An upload that has been created already. */
  readonly uploadUrl?: string | URL | undefined
  /** Any Unicode in the values; `filename` and `filetype` are added from the source unless given. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** Range of the source to send: first byte, and end (exclusive). */
  readonly startBytes?: number | undefined
  readonly endBytes?: number | undefined
  /** The size of a stream, where it is known. */
  readonly sizeBytes?: number | undefined
  /** Creates the upload before its length is known, even for a source whose size is known. @default for streams */
  readonly deferLength?: boolean | undefined
  /** Bytes of a stream held for replay. @default 16 MiB */
  readonly replayBufferBytes?: number | undefined
  /** Bytes per request at most. @default no limit, or what the server turned out to take */
  readonly chunkSizeBytes?: number | undefined
  /** Parts sent at once and put together by the server. @default 1 */
  readonly parallel?: number | undefined
  /** Checksum of each request's content. */
  readonly checksum?: ChecksumAlgorithm | undefined
  /** Features without which the upload fails before a byte is sent; others degrade. @default none */
  readonly required?: readonly Feature[] | undefined
  /** @default no limit */
  readonly maxBytesPerSecond?: number | undefined
  /** Where to remember the upload; `false` for nowhere. @default the platform's */
  readonly urlStorage?: UrlStorage | false | undefined
  /** Keeps the entry after success. @default false */
  readonly keepEntry?: boolean | undefined
  /** Identity of the source; `undefined` from it: this upload cannot be found again. */
  readonly fingerprint?: (() => string | undefined | Promise<string | undefined>) | undefined
  /** Makes an upload that is one part of a larger one (`createFinal`). @default false */
  readonly partial?: boolean | undefined
  /**
   * The server has confirmed that the upload is gone. `'restart'` begins anew from byte 0.
   *
   * @default restart when the source can go back, else fail
   */
  readonly onUploadLost?:
    | ((lost: {
        readonly url: string
        readonly acceptedBytes: number
      }) => 'restart' | 'fail' | Promise<'restart' | 'fail'>)
    | undefined
}
