import type { Context } from '../context.ts'
import type { ErrorCode, RejectionAnswer } from '../errors.ts'
import { isUploadError, UploadError } from '../errors.ts'
import type {
  AppendContext,
  CreateDecision,
  FinishAnswer,
  HookContext,
  RequestFacts,
  Stopping,
} from '../ports/hooks.ts'
import type { KeptRequest, StoredAnswer, UploadRecord } from '../upload.ts'
import { parseUploadId } from '../upload-id.ts'

/** More is not kept for a client that loses the answer. */
const MAX_ANSWER_BYTES = 1024 * 1024
const utf8 = new TextEncoder()

/** Who makes an operation happen. Absent: nobody asks, or nobody has said who. */
export interface Requester {
  readonly owner?: string | undefined
  readonly request?: RequestFacts | undefined
  /** Hears what the application wants to be added to the answer to a creation. */
  readonly onAnswer?: ((answer: StoredAnswer) => void) | undefined
}

/**
 * Asks the application whether an upload may be created, and as what.
 *
 * @returns The record to create.
 * @throws {UploadError} `ERR_UPLOAD_REJECTED`; `ERR_HOOK_FAILED` for a hook that throws or answers nonsense.
 */
export async function decideCreation(
  ctx: Context,
  draft: UploadRecord,
  by: Requester,
): Promise<UploadRecord> {
  const { onCreate } = ctx.hooks
  if (onCreate === undefined) return draft
  const decision = await asked(ctx, () => onCreate(contextOf(draft, by)))
  if (decision === undefined) return draft
  if (decision.kind === 'reject') throw rejected('ERR_UPLOAD_REJECTED', decision)
  return asked(ctx, () => changed(ctx, draft, by, decision))
}

function changed(
  ctx: Context,
  draft: UploadRecord,
  by: Requester,
  decision: Extract<CreateDecision, { readonly kind: 'change' }>,
): UploadRecord {
  const id = decision.id === undefined ? draft.id : parseUploadId(decision.id)
  if (id === undefined)
    throw new RangeError('onCreate gave an id that is not 22 to 64 characters of A-Za-z0-9_-')
  if (decision.answer !== undefined) by.onAnswer?.(storedAnswer(decision.answer))
  const { metadata = draft.metadata, serverMetadata = draft.serverMetadata } = decision
  const { 'upload-metadata': asSent, ...echo } = draft.echo
  return {
    ...draft,
    id,
    metadata,
    serverMetadata,
    owner: decision.owner ?? draft.owner,
    limits: { ...draft.limits, ...decision.limits },
    // HEAD tells what holds, not what was sent.
    echo: decision.metadata === undefined && asSent !== undefined ? draft.echo : echo,
    placement: id === draft.id ? draft.placement : ctx.store.place({ id, length: draft.length }),
  }
}

/**
 * Asks the application whether a request may bring content.
 *
 * @returns The decision to end the upload; `undefined`: go on.
 * @throws {UploadError} `ERR_UPLOAD_REJECTED`, `ERR_HOOK_FAILED`.
 */
export async function decideAppend(
  ctx: Context,
  upload: UploadRecord,
  by: Requester,
  facts: Pick<AppendContext, 'offset' | 'contentLength'>,
): Promise<Stopping | undefined> {
  const { onAppend } = ctx.hooks
  if (onAppend === undefined) return undefined
  const decision = await asked(ctx, () => onAppend({ ...contextOf(upload, by), ...facts }))
  if (decision?.kind === 'reject') throw rejected('ERR_UPLOAD_REJECTED', decision)
  return decision
}

/** @throws {UploadError} `ERR_UPLOAD_TERMINATION_REJECTED`, `ERR_HOOK_FAILED`. */
export async function decideTermination(ctx: Context, upload: UploadRecord, by: Requester): Promise<void> {
  const { onTerminate } = ctx.hooks
  if (onTerminate === undefined) return
  const decision = await asked(ctx, () => onTerminate(contextOf(upload, by)))
  if (decision !== undefined) throw rejected('ERR_UPLOAD_TERMINATION_REJECTED', decision)
}

export function contextOf(upload: UploadRecord, by: Requester): HookContext {
  return { upload, owner: by.owner ?? upload.owner, request: by.request }
}

/** An application has ended an upload; tusd's name for it, which is taken by something else here. */
export function stopped(decision: Stopping): UploadError {
  return rejected('ERR_UPLOAD_REJECTED', { code: 'ERR_UPLOAD_STOPPED', ...decision })
}

function rejected(code: ErrorCode, given: RejectionAnswer): UploadError {
  try {
    return rejection(code, given)
  } catch (error) {
    return hookFailed(error)
  }
}

/**
 * A refusal in the application's words.
 *
 * @throws {RangeError} for words that no answer can have.
 */
export function rejection(code: ErrorCode, given: RejectionAnswer): UploadError {
  const { status, code: name, headers = {}, body } = given
  if (status !== undefined && !(Number.isInteger(status) && status >= 400 && status <= 599))
    throw new RangeError(`a rejection cannot have the status ${status}`)
  return new UploadError(code, { answer: { status, code: name, headers: checkedHeaders(headers), body } })
}

/**
 * An application's fields as an answer can have them.
 *
 * @returns Names in lower case.
 * @throws {RangeError} for a name or value that would break the answer.
 */
function checkedHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const checked = Object.entries(headers).map(([name, value]) => {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
      throw new RangeError(`an answer cannot have the field ${JSON.stringify(name)} as given`)
    return [name.toLowerCase(), value] as const
  })
  return Object.fromEntries(checked)
}

/**
 * An application's answer as it is kept. Status 0: as usual.
 *
 * @throws {RangeError} for words that no answer can have.
 */
export function storedAnswer({ status = 0, headers = {}, body = '' }: FinishAnswer): StoredAnswer {
  if (status !== 0 && !(Number.isInteger(status) && status >= 200 && status <= 599))
    throw new RangeError(`an answer cannot have the status ${status}`)
  const bytes = typeof body === 'string' ? utf8.encode(body) : body
  if (bytes.byteLength > MAX_ANSWER_BYTES)
    throw new RangeError(`an answer cannot have more than ${MAX_ANSWER_BYTES} bytes`)
  return { status, headers: checkedHeaders(headers), body: bytes }
}

/** Calls a hook. What it throws goes to the log; clients hear only that it failed. */
export async function asked<T>(ctx: Context, call: () => T | Promise<T>): Promise<Exclude<T, void>> {
  try {
    return (await call()) as Exclude<T, void>
  } catch (error) {
    if (isUploadError(error)) throw error
    throw hookFailed(error)
  }
}

function hookFailed(cause: unknown): UploadError {
  return new UploadError('ERR_HOOK_FAILED', {}, { cause })
}

/** What of a creating request is kept for a finish handler that may run much later. */
export function keptRequest(ctx: Context, request: RequestFacts | undefined): KeptRequest | undefined {
  if (request === undefined || ctx.hooks.onFinish === undefined) return undefined
  const headers: Record<string, string> = {}
  for (const name of ctx.keepHeaders) {
    const values = request.headers[name]
    if (values !== undefined) headers[name] = values.join(', ')
  }
  return { method: request.method, target: request.target, headers }
}
