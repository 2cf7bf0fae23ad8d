import type { RejectionAnswer } from '../errors.ts'
import type { Json, KeptRequest, UploadLimits, UploadRecord } from '../upload.ts'
import type { UploadId } from '../upload-id.ts'

/** The request that made something happen, as plain facts. */
export interface RequestFacts {
  readonly method: string
  /** The request target: path and query, as it stood in the request line. */
  readonly target: string
  readonly peerAddress: string | undefined
  /** Values of all lines of a field, by lower-case name. */
  readonly headers: Readonly<Record<string, readonly string[]>>
}

/** What every decision can look at. */
export interface HookContext {
  /** The upload as it is; for `onCreate` as it would be. */
  readonly upload: UploadRecord
  /** Whoever `onRequest` has named; the upload's owner where nobody asks. */
  readonly owner: string | undefined
  /** `undefined` where no request is behind it: after a crash, by a chore. */
  readonly request: RequestFacts | undefined
}

export interface AppendContext extends HookContext {
  readonly offset: number
  /** Content bytes that the request announces; `undefined`: unknown. */
  readonly contentLength: number | undefined
}

/** What an upload has received so far, told while a request brings more. */
export interface ProgressContext extends HookContext {
  /** Bytes received; not all of them are durable yet. */
  readonly receivedBytes: number
}

export interface FinishContext extends HookContext {
  /** The same for every attempt of one upload. */
  readonly idempotencyKey: string
  /** 1 for the first one. */
  readonly attempt: number
  /** The creating request, as far as it was kept. */
  readonly creation: KeptRequest | undefined
  /** The whole content, from the start. */
  readonly read: () => AsyncIterable<Uint8Array>
  /**
   * Where the content lies as a plain file, which is made for this where it is not one yet.
   *
   * @throws where the store keeps no files.
   */
  readonly path: () => Promise<string>
}

/** What an upload is created with instead. */
export interface CreateChange {
  /** 22 to 64 characters of `A-Za-z0-9_-`. Whoever can guess it can ask for the upload. */
  readonly id?: string | undefined
  /** Replaces all metadata of the client. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  readonly serverMetadata?: Readonly<Record<string, Json>> | undefined
  readonly owner?: string | undefined
  readonly limits?: UploadLimits | undefined
  /** Added to the answer to the creation. */
  readonly answer?: FinishAnswer | undefined
}

/** A refusal in the application's words. */
export interface Rejection extends RejectionAnswer {
  readonly kind: 'reject'
}

/** The upload is ended for good and its bytes are freed; the request is refused in the application's words. */
export interface Stopping extends RejectionAnswer {
  readonly kind: 'stop'
}

/** Refuses a request in the application's own words. */
export function reject(answer: RejectionAnswer = {}): Rejection {
  return { ...answer, kind: 'reject' }
}

/** Ends an upload for good and refuses the request in the application's own words. */
export function stop(answer: RejectionAnswer = {}): Stopping {
  return { ...answer, kind: 'stop' }
}

/** Lets an upload be created as something else than was asked for. */
export function change(changes: CreateChange): { readonly kind: 'change' } & CreateChange {
  return { ...changes, kind: 'change' }
}

export type CreateDecision = undefined | Rejection | ({ readonly kind: 'change' } & CreateChange)
export type AppendDecision = undefined | Rejection | Stopping
export type ProgressDecision = undefined | Stopping
export type TerminateDecision = undefined | Rejection

/** An application's answer where all is well. Absent parts are answered as usual. */
export interface FinishAnswer {
  readonly status?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | Uint8Array | undefined
}

type MaybePromise<T> = T | Promise<T>

/**
 * An application's part in what happens to uploads. A decision is a value; `undefined` accepts. Whatever is thrown is a
 * 500 whose cause is reported and never sent.
 */
export interface Hooks {
  /** Before anything is stored. May be asked about a creation that then fails. */
  readonly onCreate?: ((context: HookContext) => MaybePromise<CreateDecision | void>) | undefined
  /** Before a request's content is read, for creations with content too. */
  readonly onAppend?: ((context: AppendContext) => MaybePromise<AppendDecision | void>) | undefined
  /** While content comes in, at most once per interval, never two at once for one request. */
  readonly onProgress?: ((context: ProgressContext) => MaybePromise<ProgressDecision | void>) | undefined
  /**
   * Once all bytes are durable, before the upload counts as complete. One attempt at a time; again after a crash or a
   * failure; never again once its answer is stored. Not for partial uploads.
   */
  readonly onFinish?: ((context: FinishContext) => MaybePromise<FinishAnswer | void>) | undefined
  /** Before a client's DELETE takes effect. */
  readonly onTerminate?: ((context: HookContext) => MaybePromise<TerminateDecision | void>) | undefined
}

/** Something that happened, for listeners in the process. Told after the fact, never waited for, maybe never told. */
export type Happening =
  | { readonly type: 'progress'; readonly upload: UploadRecord; readonly receivedBytes: number }
  | { readonly type: UploadEventType; readonly upload: UploadRecord }

/** What can be kept for listeners outside the process. */
export type UploadEventType =
  | 'post-create'
  | 'post-finish'
  | 'post-terminate'
  | 'upload-expired'
  | 'upload-failed'

/** Who outside the process hears of what. */
export interface EventSink {
  /** Names its queue; events of a queue that nobody empties stay for ever. */
  readonly queue: string
  readonly types: ReadonlySet<UploadEventType>
  /** JSON text of what it gets. */
  readonly describe: (
    type: UploadEventType,
    record: UploadRecord,
    request: RequestFacts | undefined,
  ) => string
}

/** Names an event in every delivery of it: an upload has at most one of each type. */
export function eventId(uploadId: UploadId, type: string): string {
  return `${uploadId}.${type}`
}
