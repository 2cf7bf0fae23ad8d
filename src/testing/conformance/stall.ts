import { offsetOctets, type Context, type Upload } from './context.ts'
import type { OpenRequest } from './exchange.ts'

/** Longest wait for a 100 Continue; a server that does not know it simply makes us wait this long. */
const continueMs = 500

/**
 * A PATCH that declares `declaredBytes` and sends only `start`. `Expect: 100-continue` makes sure that the
 * server is at work on it before the case goes on, without guessing at a time.
 */
export async function stalledPatch(
  ctx: Context,
  upload: Upload,
  start: string | Uint8Array,
  declaredBytes: number,
  fields: Readonly<Record<string, string>> = {},
): Promise<OpenRequest> {
  const request = await ctx.open({
    method: 'PATCH',
    to: upload,
    fields: {
      'Content-Type': offsetOctets,
      'Upload-Offset': '0',
      'Content-Length': String(declaredBytes),
      Expect: '100-continue',
      ...fields,
    },
  })
  await request.first(continueMs)
  request.write(start)
  return request
}
