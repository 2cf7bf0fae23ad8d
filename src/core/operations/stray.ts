import type { Context } from '../context.ts'
import { hasCode } from '../errors.ts'
import { handedOverFrom } from '../handed-over.ts'
import type { Json, Placement, UploadRecord } from '../upload.ts'
import { isGone } from '../upload.ts'

/**
 * Records where an upload was brought to. Where the right to it was lost meanwhile, what was made is removed again.
 *
 * @param before - The record as it was believed to be.
 * @param made - The new place; `undefined`: nothing was made.
 */
export async function recordPlace<T>(
  ctx: Context,
  before: UploadRecord,
  made: Placement | undefined,
  record: () => Promise<T>,
): Promise<T> {
  try {
    return await record()
  } catch (error) {
    if (made !== undefined && hasCode(error, 'ERR_LEASE_LOST')) await dropStray(ctx, before, made)
    throw error
  }
}

/**
 * Removes what was made by bringing an upload to its final place, where that could not be recorded because the right to
 * it was lost: a process that is taken for frozen may go on for a while. Whoever took over has brought the upload to its
 * place by then, and what was made here got another name that nobody knows.
 *
 * @param before - The record as it was believed to be.
 */
async function dropStray(ctx: Context, before: UploadRecord, made: Placement): Promise<void> {
  try {
    const now = await ctx.catalog.get(before.id)
    if (now !== undefined && !isGone(now) && handedOverFrom(now) === undefined) {
      const { where } = now.placement
      // As it was: the other one is still at it, and finds what was made here by itself.
      if (isSame(where, before.placement.where) || isSame(where, made.where)) return
    }
    await ctx.store.remove({ ...before, placement: made })
  } catch (error) {
    ctx.report(error, before.id)
  }
}

function isSame(one: Json, other: Json): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
