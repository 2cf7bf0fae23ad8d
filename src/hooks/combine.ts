import type {
  AppendContext,
  AppendDecision,
  CreateChange,
  CreateDecision,
  FinishAnswer,
  FinishContext,
  HookContext,
  Hooks,
  ProgressContext,
  ProgressDecision,
  TerminateDecision,
} from '../core/ports/hooks.ts'
import { parseUploadId } from '../core/upload-id.ts'
import type { UploadRecord } from '../core/upload.ts'
import { mergedAnswer } from './decisions.ts'

/**
 * Several sets of hooks as one, asked in their order: the first refusal holds and leaves the rest unasked. Changes of a
 * creation add up, and who is asked later sees the upload as changed. Answers to the last request are merged, header
 * fields one by one; the later one wins.
 *
 * @returns Hooks that have a method where one of `hooks` has it.
 */
export function combineHooks(...hooks: readonly Hooks[]): Hooks {
  const [only, ...more] = hooks
  if (only !== undefined && more.length === 0) return only
  return {
    ...(hooks.some((one) => one.onCreate) && { onCreate: (context) => createWith(hooks, context) }),
    ...(hooks.some((one) => one.onAppend) && { onAppend: (context) => appendWith(hooks, context) }),
    ...(hooks.some((one) => one.onProgress) && { onProgress: (context) => progressWith(hooks, context) }),
    ...(hooks.some((one) => one.onFinish) && { onFinish: (context) => finishWith(hooks, context) }),
    ...(hooks.some((one) => one.onTerminate) && { onTerminate: (context) => terminateWith(hooks, context) }),
  }
}

async function createWith(hooks: readonly Hooks[], context: HookContext): Promise<CreateDecision> {
  let change: CreateChange | undefined
  for (const one of hooks) {
    const seen = change === undefined ? context : { ...context, upload: changed(context.upload, change) }
    const decision = await one.onCreate?.(seen)
    if (decision === undefined) continue
    if (decision.kind === 'reject') return decision
    const { kind: _, ...next } = decision
    change = merged(change, next)
  }
  return change === undefined ? undefined : { kind: 'change', ...change }
}

async function appendWith(hooks: readonly Hooks[], context: AppendContext): Promise<AppendDecision> {
  for (const one of hooks) {
    const decision = await one.onAppend?.(context)
    if (decision !== undefined) return decision
  }
  return undefined
}

async function progressWith(hooks: readonly Hooks[], context: ProgressContext): Promise<ProgressDecision> {
  for (const one of hooks) {
    const decision = await one.onProgress?.(context)
    if (decision !== undefined) return decision
  }
  return undefined
}

async function finishWith(
  hooks: readonly Hooks[],
  context: FinishContext,
): Promise<FinishAnswer | undefined> {
  let answer: FinishAnswer | undefined
  for (const one of hooks) {
    const next = await one.onFinish?.(context)
    if (next !== undefined) answer = mergedAnswer(answer, next)
  }
  return answer
}

async function terminateWith(hooks: readonly Hooks[], context: HookContext): Promise<TerminateDecision> {
  for (const one of hooks) {
    const decision = await one.onTerminate?.(context)
    if (decision !== undefined) return decision
  }
  return undefined
}

/** What both want. Metadata is replaced as a whole, as it is by one hook; the rest key by key. */
function merged(before: CreateChange = {}, next: CreateChange): CreateChange {
  return {
    ...defined(before),
    ...defined(next),
    ...both('serverMetadata', before.serverMetadata, next.serverMetadata),
    ...both('limits', before.limits, next.limits),
    ...(next.answer !== undefined && { answer: mergedAnswer(before.answer, next.answer) }),
  }
}

function both<K extends string, T extends object>(
  name: K,
  before: T | undefined,
  next: T | undefined,
): { readonly [key in K]?: T } {
  if (before === undefined || next === undefined) return {}
  return { [name]: { ...before, ...defined(next) } } as { readonly [key in K]: T }
}

/** Without what is `undefined`: that means "as it is", and must not undo what another hook has said. */
function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T
}

/** The upload as it would be created. */
function changed(upload: UploadRecord, change: CreateChange): UploadRecord {
  const { id, metadata, serverMetadata, owner, limits } = change
  return {
    ...upload,
    // One that cannot be used is refused by the engine, which gets to see it.
    id: parseUploadId(id) ?? upload.id,
    metadata: metadata ?? upload.metadata,
    serverMetadata: serverMetadata ?? upload.serverMetadata,
    owner: owner ?? upload.owner,
    limits: { ...upload.limits, ...defined(limits ?? {}) },
  }
}
