import { createHash } from 'node:crypto'
import type { ContentAlgorithm } from './types.ts'

/** @returns In hexadecimal. */
export async function digestOf(
  algorithm: ContentAlgorithm,
  content: AsyncIterable<Uint8Array>,
): Promise<string> {
  const hash = createHash(algorithm)
  for await (const chunk of content) hash.update(chunk)
  return hash.digest('hex')
}
