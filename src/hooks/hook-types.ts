import type { UploadEventType } from '../core/ports/hooks.ts'

/** Everything a hook can be called for: tusd's seven, and ours. */
export const HOOK_TYPES = [
  'pre-create',
  'post-create',
  'post-receive',
  'pre-finish',
  'post-finish',
  'pre-terminate',
  'post-terminate',
  'post-progress',
  'upload-expired',
  'upload-failed',
] as const

/** `post-receive` asks whether an upload may go on, as in tusd; `post-progress` only tells how far it is. */
export type HookType = (typeof HOOK_TYPES)[number]

/** The types that are enabled where nobody says otherwise: those of tusd 2. */
export const DEFAULT_HOOK_TYPES: readonly HookType[] = [
  'pre-create',
  'post-create',
  'post-receive',
  'post-terminate',
  'post-finish',
]

const TYPES: ReadonlySet<string> = new Set(HOOK_TYPES)

export function isHookType(text: string): text is HookType {
  return TYPES.has(text)
}

const DECIDING: ReadonlySet<string> = new Set<HookType>([
  'pre-create',
  'post-receive',
  'pre-finish',
  'pre-terminate',
])

/** Whether an answer to it means anything. The content of any other answer is not even looked at. */
export function isDecision(type: HookType): boolean {
  return DECIDING.has(type)
}

const QUEUED: ReadonlySet<string> = new Set<UploadEventType>([
  'post-create',
  'post-finish',
  'post-terminate',
  'upload-expired',
  'upload-failed',
])

/** Whether it is kept in a queue until it was delivered. */
export function isQueued(type: HookType): type is UploadEventType {
  return QUEUED.has(type)
}
