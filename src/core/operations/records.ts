import type { Context } from '../context.ts'
import type { ListQuery } from '../ports/catalog.ts'
import type { UploadRecord, UploadStatus } from '../upload.ts'

const PAGE = 256

/** All records of these states, a page at a time. */
export async function* records(
  ctx: Context,
  status: readonly UploadStatus[],
  before: Pick<ListQuery, 'expiresBeforeMs' | 'lastWriteBeforeMs' | 'finishedBeforeMs'>,
): AsyncIterable<UploadRecord> {
  let last: UploadRecord | undefined
  for (;;) {
    const page = await ctx.catalog.list({ status, ...before, after: last?.id, limit: PAGE })
    yield* page
    if (page.length < PAGE) return
    last = page.at(-1)
  }
}
