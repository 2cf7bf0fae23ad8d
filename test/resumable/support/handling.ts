import { createHash } from 'node:crypto'
import type { ResumedUpload } from '../../../src/node/resumable/index.ts'

/** What a handler has met, whatever framework it is written for. */
export interface Met {
  readonly method: string
  /** Path and query as the framework tells them. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly bytes: number
  readonly sha256: string
  readonly upload: ResumedUpload | undefined
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A handler that every form calls in the way of its framework. */
export type Handling = (met: Met) => Answer | Promise<Answer>

/** Reads a body as handlers do. */
export async function contentOf(
  body: AsyncIterable<Uint8Array> | null,
): Promise<Pick<Met, 'bytes' | 'sha256'>> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of body ?? []) {
    hash.update(chunk)
    bytes += chunk.byteLength
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** What most tests let their handler answer: what it has met. */
export function report(met: Met): Answer {
  return {
    status: 201,
    headers: { 'content-type': 'application/json', 'x-sha256': met.sha256 },
    body: JSON.stringify(met),
  }
}
