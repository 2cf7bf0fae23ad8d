import type { Json } from '../../core/upload.ts'
import type { HookType } from '../hook-types.ts'

/** An upload as tusd 2 describes it, with tusd's names. */
export interface TusdUpload {
  /** Empty in `pre-create`. */
  readonly ID: string
  /** Bytes; 0 while the length is unknown. */
  readonly Size: number
  readonly SizeIsDeferred: boolean
  readonly Offset: number
  readonly MetaData: Readonly<Record<string, string>>
  readonly IsPartial: boolean
  readonly IsFinal: boolean
  /** Ids, in the order of their content; `null` unless it is a final upload. */
  readonly PartialUploads: readonly string[] | null
  /** Where the content is, in the words of the store; `null` where nobody says. */
  readonly Storage: Json
}

/** The request behind an event as tusd 2 describes it; empty where there is none. */
export interface TusdHttpRequest {
  readonly Method: string
  readonly URI: string
  readonly RemoteAddr: string
  /** By name as Go writes it (`User-Agent`). `Host` is among them. */
  readonly Header: Readonly<Record<string, readonly string[]>>
}

export interface TusdEvent {
  readonly Upload: TusdUpload
  readonly HTTPRequest: TusdHttpRequest
}

/** What Carryon tells beside tusd's event. */
export interface UploadFacts {
  readonly Owner: string | null
  readonly ServerMetadata: { readonly [key: string]: Json | undefined }
  /** `receiving`, `complete`, … */
  readonly Status: string
  /** ISO 8601, UTC. */
  readonly CreatedAt: string
}

/** One call of a hook: an attempt to tell something or to ask for a decision. */
export interface HookCall {
  readonly type: HookType
  /** Names what is told. The same in every attempt, so that a receiver can tell a repetition. */
  readonly id: string
  /** Its place in the order of everything that was ever queued; absent for what is asked live. */
  readonly sequence?: number | undefined
  /** 1 for the first one. */
  readonly attempt: number
  /** When it happened. Unix time in milliseconds. */
  readonly atMs: number
  readonly event: TusdEvent
  readonly facts: UploadFacts
}

/** What a hook wants to be answered to the client. */
export interface HookHttpResponse {
  /** 200 to 599. */
  readonly StatusCode?: number
  readonly Body?: string
  readonly Header?: Readonly<Record<string, string>>
}

/** Other properties for an upload that is about to be created. */
export interface HookFileInfoChange {
  readonly ID?: string
  /** Replaces all metadata of the client. */
  readonly MetaData?: Readonly<Record<string, string>>
  /** Where tusd would keep the file. Not supported: an answer with it is a failure, never silently another place. */
  readonly Storage?: Readonly<Record<string, Json | undefined>>
}

/** A hook's answer, in the words of tusd 2. What is absent or false changes nothing. */
export interface HookResponse {
  readonly HTTPResponse?: HookHttpResponse
  /** Honoured for `pre-create`. */
  readonly RejectUpload?: boolean
  /** Honoured for `pre-terminate`. */
  readonly RejectTermination?: boolean
  /** Honoured for `pre-create`. */
  readonly ChangeFileInfo?: HookFileInfoChange
  /** Honoured for `post-receive`. */
  readonly StopUpload?: boolean
}

/** A way to a hook outside of the engine. */
export interface HookTransport {
  /** Names it in messages, and its queue of events: keep it over restarts. */
  readonly name: string
  /**
   * Calls the hook and waits for its answer, with the repetitions that the transport makes itself, for a time that it
   * bounds itself.
   *
   * @param signal - Gives up; nothing is waited for any longer.
   * @throws {HookError} for every failure, which says when a repetition makes sense.
   * @throws `signal.reason` if aborted; the hook may have been called all the same.
   */
  invoke(call: HookCall, signal: AbortSignal): Promise<HookResponse>
  /** Lets go of connections. Calls under way may fail. */
  close?(): Promise<void>
}
