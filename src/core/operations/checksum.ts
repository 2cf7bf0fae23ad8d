import type { Context } from '../context.ts'
import type { Checksum } from '../ports/digest.ts'

/** Whether `content` has the promised checksum. */
export async function verifiesChecksum(
  ctx: Context,
  checksum: Checksum,
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const digest = ctx.digests.create(checksum.algorithm)
  for await (const chunk of content) await digest.update([chunk])
  return sameBytes(await digest.result(), checksum.digest)
}

/** Compares without an early exit. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i += 1) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}
