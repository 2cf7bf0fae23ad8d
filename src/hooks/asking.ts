import type { Clock } from '../core/ports/clock.ts'
import { UploadError } from '../core/errors.ts'
import type { HookContext } from '../core/ports/hooks.ts'
import type { UploadId } from '../core/upload-id.ts'
import { bounded } from './bounded.ts'
import { HookError } from './ports/hook-error.ts'
import type { HookType } from './hook-types.ts'
import { uploadFacts } from './message.ts'
import type { HookCall, HookResponse, HookTransport, TusdUpload } from './ports/transport.ts'
import { liveRequest, tusdUpload } from './tusd-event.ts'
import type { StorageOf } from './tusd-event.ts'

/** Something that hooks are asked live. */
export interface Question {
  readonly type: HookType
  readonly context: HookContext
  readonly id: string
  readonly attempt?: number
  /** What the hook is told of the upload instead of what its record says. */
  readonly upload?: Partial<TusdUpload>
  /** Whether a failure is reported and nothing more. */
  readonly isOptional?: boolean
}

export interface AskingParts {
  readonly transports: readonly HookTransport[]
  /** Whether a failure counts as consent. */
  readonly accepts: boolean
  readonly timeoutMs: number
  readonly storageOf: StorageOf
  readonly report: (error: unknown, id?: UploadId) => void
  readonly clock: Clock
}

/** Asks the transports, one after the other, within one bound of time. */
export class Asking {
  readonly #parts: AskingParts
  /** Uploads whose progress is being told: a slow listener gets less, not a queue. */
  readonly #telling = new Set<UploadId>()

  constructor(parts: AskingParts) {
    this.#parts = parts
  }

  /**
   * Answers in the order of the transports. Whoever stops listening leaves the rest unasked.
   *
   * @param read - Makes something of an answer; what it throws is a failure of the hook.
   * @throws {UploadError} `ERR_HOOK_FAILED`, unless a failure counts as consent.
   */
  async *ask<T>(question: Question, read: (response: HookResponse, who: string) => T): AsyncGenerator<T> {
    const { transports, clock, timeoutMs, accepts, report } = this.#parts
    const { id } = question.context.upload
    const untilMs = clock.nowMs() + timeoutMs
    const call = this.#callOf(question)
    for (const transport of transports) {
      let answer: { readonly value: T } | undefined
      try {
        const response = await this.#invoke(transport, call, untilMs)
        answer = { value: read(response, `the hook ${call.type} (${transport.name})`) }
      } catch (cause) {
        if (question.isOptional !== true && !accepts) throw new UploadError('ERR_HOOK_FAILED', {}, { cause })
        report(cause, id)
      }
      if (answer !== undefined) yield answer.value
    }
  }

  /** Tells without waiting; failures are reported. */
  tell(question: Question): void {
    const { transports, clock, timeoutMs, report } = this.#parts
    const { id } = question.context.upload
    if (this.#telling.has(id)) return
    this.#telling.add(id)
    const call = this.#callOf(question)
    const untilMs = clock.nowMs() + timeoutMs
    const told = transports.map((transport) =>
      this.#invoke(transport, call, untilMs).catch((error: unknown) => report(error, id)),
    )
    void Promise.all(told).finally(() => this.#telling.delete(id))
  }

  async #invoke(transport: HookTransport, call: HookCall, untilMs: number): Promise<HookResponse> {
    const { clock } = this.#parts
    const late = (): Error =>
      new HookError('timeout', `The hook ${call.type} (${transport.name}) has not decided in time`, {
        retry: 'soon',
      })
    const bound = {
      clock,
      timeoutMs: Math.max(0, untilMs - clock.nowMs()),
      signal: new AbortController().signal,
      late,
    }
    return bounded(bound, (signal) => transport.invoke(call, signal))
  }

  #callOf({ type, context, id, attempt = 1, upload: told }: Question): HookCall {
    const { upload, owner, request } = context
    const { storageOf, clock } = this.#parts
    // Where nothing is to be said of a place, nobody is asked for one.
    const storage = told?.Storage === null ? null : storageOf(upload)
    return {
      type,
      id,
      attempt,
      atMs: clock.nowMs(),
      event: {
        Upload: { ...tusdUpload(upload, storage), ...told },
        HTTPRequest: liveRequest(request),
      },
      facts: uploadFacts(upload, owner),
    }
  }
}
