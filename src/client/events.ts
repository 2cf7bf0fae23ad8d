import type { TransferError } from './errors.ts'
import type { Progress } from './progress.ts'
import type { UploadState } from './state.ts'

export interface UploadResult {
  readonly url: string
  /** Bytes the server has: all of them, unless `stopAt` was given. */
  readonly bytes: number
  readonly isComplete: boolean
}

/** What an upload tells while it goes on. */
export interface UploadEvents {
  /** At most every 100 ms, and once at the end of a run. */
  readonly progress: Progress
  /** `error` with `failed` and `cancelled`. */
  readonly state: { readonly state: UploadState; readonly previous: UploadState; readonly error?: unknown }
  /** The upload has been created, or found. For one in parts: the final upload. */
  readonly url: { readonly url: string }
  /** A failure that is being retried, after `delayMs`. What ends an upload comes from `start()` instead. */
  readonly error: { readonly error: TransferError; readonly attempt: number; readonly delayMs: number }
  /** Something does not work as wished and the upload goes on without it, e.g. a broken storage. */
  readonly warning: { readonly message: string; readonly cause?: unknown }
  readonly complete: UploadResult
}

export type UploadEvent = {
  [Type in keyof UploadEvents]: { readonly type: Type } & UploadEvents[Type]
}[keyof UploadEvents]

export type UploadListener<Type extends keyof UploadEvents> = (event: UploadEvents[Type]) => void

export type Emit = <Type extends keyof UploadEvents>(type: Type, event: UploadEvents[Type]) => void

type AnyListener = (event: never) => void

/** Hands events to listeners. */
export class UploadEmitter {
  readonly #listeners = new Map<keyof UploadEvents, Set<AnyListener>>()

  on<Type extends keyof UploadEvents>(type: Type, listener: UploadListener<Type>): void {
    const listeners = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, listeners.add(listener))
  }

  off<Type extends keyof UploadEvents>(type: Type, listener: UploadListener<Type>): void {
    this.#listeners.get(type)?.delete(listener)
  }

  readonly emit: Emit = (type, event) => {
    for (const listener of this.#listeners.get(type) ?? []) {
      try {
        ;(listener as UploadListener<typeof type>)(event)
      } catch (error) {
        // A fault of the caller's must be seen, and must not break the upload.
        void Promise.reject(error)
      }
    }
  }
}
