import type { Context } from '../context.ts'
import type { FinishContext } from '../ports/hooks.ts'
import type { Handling, Placement, UploadRecord } from '../upload.ts'
import type { Requester } from './decide.ts'
import { asked, contextOf, storedAnswer } from './decide.ts'
import { read } from './read.ts'

/** Bytes on their way to their final place. */
export interface Placing {
  /** `undefined` until they are there. */
  readonly placement: Placement | undefined
  /** Brings them there. Idempotent, also across a crash: nothing is recorded yet. */
  now(): Promise<Placement>
}

export function placing(ctx: Context, record: UploadRecord): Placing {
  let placement: Placement | undefined
  return {
    get placement() {
      return placement
    },
    async now() {
      if (placement !== undefined) return placement
      const [outcome] = await ctx.store.finish([record])
      if (outcome === undefined || !outcome.ok) throw outcome?.error ?? new Error('the store gave no outcome')
      placement = outcome.placement
      return placement
    },
  }
}

/** Whether the application wants to answer the completion of this upload. Pieces of something are none of its business. */
export function hasHandler(ctx: Context, record: UploadRecord): boolean {
  return ctx.hooks.onFinish !== undefined && record.concat?.kind !== 'partial'
}

/**
 * Calls the application's finish handler; the attempt is recorded already.
 *
 * @returns What is to be recorded together with `complete`.
 * @throws {UploadError} `ERR_HOOK_FAILED`.
 */
export async function handle(
  ctx: Context,
  record: UploadRecord,
  by: Requester,
  place: Placing,
): Promise<Handling> {
  const attempts = record.handling?.attempts ?? 1
  const context: FinishContext = {
    ...contextOf(placed(record, place), by),
    idempotencyKey: record.id,
    attempt: attempts,
    creation: record.request,
    read: () => read(ctx, placed(record, place), wholeOf(record), new AbortController().signal),
    path: async () => {
      if (ctx.store.finishing(record) !== 'none') await place.now()
      const path = ctx.store.pathOf?.(placed(record, place))
      if (path === undefined) throw new Error('this store does not keep the upload as a file')
      return path
    },
  }
  return asked(ctx, async () => {
    const answer = await ctx.hooks.onFinish?.(context)
    return answer === undefined ? { attempts } : { attempts, answer: storedAnswer(answer) }
  })
}

function placed(record: UploadRecord, { placement }: Placing): UploadRecord {
  return placement === undefined ? record : { ...record, placement }
}

function wholeOf({ offset }: UploadRecord): { readonly start: number; readonly end: number } {
  return { start: 0, end: offset }
}
