import type { Exchange } from './scripted-server.ts'
import type { ScriptedUpload } from './scripted-upload.ts'

/** In what a server differs from others. */
export interface Dialect {
  readonly extensions: readonly string[]
  readonly optionsStatus: 200 | 204
  readonly headStatus: 200 | 204
  readonly isLocationAbsolute: boolean
  /** Answers 412 to requests without `Tus-Resumable`. */
  readonly needsVersion: boolean
  /** Actual methods on which `X-HTTP-Method-Override` counts. */
  readonly overrides: readonly string[]
  /** Takes a body when it is whole only; one that breaks off is lost. Else every byte is kept as it comes. */
  readonly isBuffering: boolean
  /** Bodies without `Content-Length`: taken, refused with 411, or taken for empty. */
  readonly chunkedBodies: 'taken' | 'refused' | 'ignored'
  readonly maxBodyBytes?: number
  /** How a body over the limit is refused. @default 'answer' */
  readonly overLimit?: 'answer' | 'cut'
  readonly checksum?: {
    readonly algorithms: readonly string[]
    readonly mismatchStatus: number
    readonly isUnknownIgnored: boolean
  }
  readonly statuses: {
    readonly missingOffset: number
    readonly wrongType: number
    readonly overLength: number
    /** PATCH of a complete upload; 204 keeps it as it is. */
    readonly complete: number
  }
  /** 409 names the offset that is wanted. */
  readonly isOffsetInConflict?: boolean
  /** What HEAD says besides the usual. */
  readonly headFields?: (upload: ScriptedUpload) => Readonly<Record<string, string | number>>
  /** What POST and PATCH say besides the usual. */
  readonly writeFields?: () => Readonly<Record<string, string>>
  /** Why a creation is refused. */
  readonly refuseCreation?: (
    exchange: Exchange,
  ) => { readonly status: number; readonly body: string } | undefined
  /** What happens once all bytes are there. */
  readonly onComplete?: (upload: ScriptedUpload) => void
  /** Comes first: may answer by itself. */
  readonly intercept?: (exchange: Exchange) => 'done' | undefined | Promise<'done' | undefined>
}
