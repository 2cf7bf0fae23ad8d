import type { RejectionAnswer } from '../core/errors.ts'
import type { CreateChange, FinishAnswer } from '../core/ports/hooks.ts'
import { parseUploadId } from '../core/upload-id.ts'
import { formatMetadata } from '../protocol/metadata.ts'
import { HookError } from './ports/hook-error.ts'
import type { HookHttpResponse, HookResponse } from './ports/transport.ts'

/** A decision to create an upload with something else. */
export type CreationChange = { readonly kind: 'change' } & CreateChange

/** An answer of a hook as the engine's refusal. What is absent is answered as usual. */
export function rejectionOf(http: HookHttpResponse = {}): RejectionAnswer {
  const { StatusCode: status, Header: headers, Body: body } = http
  return {
    ...(status !== undefined && { status }),
    ...(headers !== undefined && { headers }),
    ...(body !== undefined && { body }),
  }
}

/**
 * What a hook wants an upload to be created with.
 *
 * @throws {HookError} for what cannot be done. Doing the rest of it would be a guess.
 */
export function creationChange(response: HookResponse, who: string): CreationChange | undefined {
  const { ID: id, MetaData: metadata, Storage: storage } = response.ChangeFileInfo ?? {}
  const wrong = (what: string): HookError =>
    new HookError('bad-answer', `The answer of ${who} cannot be followed: ${what}`, { retry: 'later' })
  if (id !== undefined && parseUploadId(id) === undefined) {
    throw wrong('ChangeFileInfo.ID is not 22 to 64 characters of A-Za-z0-9_-')
  }
  if (metadata !== undefined && !canBeSent(metadata)) {
    throw wrong('a key in ChangeFileInfo.MetaData is not visible ASCII, or has a comma')
  }
  if (storage !== undefined) throw wrong('ChangeFileInfo.Storage is not supported')
  const answer = finishAnswer(undefined, response.HTTPResponse)
  if (id === undefined && metadata === undefined && answer === undefined) return undefined
  return {
    kind: 'change',
    ...(id !== undefined && { id }),
    ...(metadata !== undefined && { metadata }),
    ...(answer !== undefined && { answer }),
  }
}

/** HEAD has to be able to tell it: tus 1.0 §Upload-Metadata. */
function canBeSent(metadata: Readonly<Record<string, string>>): boolean {
  const nothing = new Uint8Array()
  try {
    formatMetadata(Object.keys(metadata).map((key) => [key, nothing] as const))
    return true
  } catch {
    return false
  }
}

/** Both changes: of what both want, the later one; of their answers every part. */
export function mergedChange(
  before: CreationChange | undefined,
  next: CreationChange | undefined,
): CreationChange | undefined {
  if (before === undefined || next === undefined) return next ?? before
  const { answer } = before
  if (answer === undefined || next.answer === undefined) return { ...before, ...next }
  return { ...before, ...next, answer: mergedAnswer(answer, next.answer) }
}

/** Answers to one request: parts that are there replace earlier ones, header fields one by one. */
export function finishAnswer(
  before: FinishAnswer | undefined,
  http: HookHttpResponse | undefined,
): FinishAnswer | undefined {
  const next = rejectionOf(http)
  return Object.keys(next).length === 0 ? before : mergedAnswer(before, next)
}

export function mergedAnswer(before: FinishAnswer | undefined, next: FinishAnswer): FinishAnswer {
  const status = next.status ?? before?.status
  const body = next.body ?? before?.body
  const headers = mergedHeaders(before?.headers, next.headers)
  return {
    ...(status !== undefined && { status }),
    ...(headers !== undefined && { headers }),
    ...(body !== undefined && { body }),
  }
}

type Headers = Readonly<Record<string, string>>

/** Names mean the same in any case; the later name is the one that is kept. */
function mergedHeaders(before: Headers | undefined, next: Headers | undefined): Headers | undefined {
  if (before === undefined || next === undefined) return next ?? before
  const merged: Record<string, string> = Object.create(null)
  const replaced = new Set(Object.keys(next).map((name) => name.toLowerCase()))
  for (const [name, value] of Object.entries(before)) {
    if (!replaced.has(name.toLowerCase())) merged[name] = value
  }
  return Object.assign(merged, next)
}
