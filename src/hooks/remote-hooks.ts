import type { Clock } from '../core/ports/clock.ts'
import type {
  CreateDecision,
  FinishAnswer,
  FinishContext,
  HookContext,
  Hooks,
  ProgressContext,
  ProgressDecision,
  TerminateDecision,
} from '../core/ports/hooks.ts'
import { eventId } from '../core/ports/hooks.ts'
import type { UploadId } from '../core/upload-id.ts'
import { systemClock } from '../core/system-clock.ts'
import { Asking } from './asking.ts'
import type { Question } from './asking.ts'
import { creationChange, finishAnswer, mergedChange, rejectionOf } from './decisions.ts'
import type { CreationChange } from './decisions.ts'
import { DEFAULT_HOOK_TYPES } from './hook-types.ts'
import type { HookType } from './hook-types.ts'
import { checkTime, DEFAULT_TIMEOUT_MS } from './tries.ts'
import type { HookTransport } from './ports/transport.ts'
import type { StorageOf } from './tusd-event.ts'

/** What happens to a request when a hook that has to decide cannot be asked. */
export type FailurePolicy = 'refuse' | 'accept'

export interface RemoteHooksOptions {
  /** Asked in this order. */
  readonly transports: readonly HookTransport[]
  /** @default tusd's: `pre-create`, `post-create`, `post-receive`, `post-terminate`, `post-finish` */
  readonly types?: Iterable<HookType> | undefined
  /**
   * `refuse`: the request fails with `ERR_HOOK_FAILED`. `accept`: it goes on as if nobody had been asked. `post-receive`
   * never stops an upload by failing.
   *
   * @default 'refuse'
   */
  readonly onFailure?: FailurePolicy | undefined
  /**
   * Time for one decision, over all transports and their repetitions.
   *
   * @default 15_000
   */
  readonly timeoutMs?: number | undefined
  /** @default nothing is said of the storage */
  readonly storageOf?: StorageOf | undefined
  /** Hears of every failure that no client hears of. */
  readonly report?: ((error: unknown, id?: UploadId) => void) | undefined
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined
}

/**
 * Decisions of hooks outside of the process, as the engine asks for them: `pre-create`, `post-receive`, `pre-finish`
 * and `pre-terminate`. Only what is enabled is there; what is left out costs nothing.
 *
 * Transports are asked one after the other, and none hears what another has said. The first refusal holds; changes and
 * answers are merged, the later one wins. Events that need no answer take another way: see `eventSinkOf`.
 *
 * @throws {RangeError} for a time that makes no sense.
 */
export function remoteHooks(options: RemoteHooksOptions): Hooks {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options
  checkTime('timeoutMs', timeoutMs, 1)
  const types = new Set(options.types ?? DEFAULT_HOOK_TYPES)
  const asking = new Asking({
    transports: [...options.transports],
    accepts: options.onFailure === 'accept',
    timeoutMs,
    storageOf: options.storageOf ?? (() => null),
    report: options.report ?? (() => undefined),
    clock: options.clock ?? systemClock,
  })
  const hears = (type: HookType): boolean => options.transports.length > 0 && types.has(type)
  const stops = hears('post-receive')
  const tells = hears('post-progress')
  return {
    ...(hears('pre-create') && { onCreate: (context: HookContext) => decideCreate(asking, context) }),
    ...((stops || tells) && {
      onProgress(context: ProgressContext) {
        if (tells) asking.tell(progressQuestion('post-progress', context))
        return stops ? decideProgress(asking, context) : undefined
      },
    }),
    ...(hears('pre-finish') && { onFinish: (context: FinishContext) => decideFinish(asking, context) }),
    ...(hears('pre-terminate') && {
      onTerminate: (context: HookContext) => decideTerminate(asking, context),
    }),
  }
}

async function decideCreate(asking: Asking, context: HookContext): Promise<CreateDecision> {
  const { upload } = context
  // tusd: there is no id yet, and no place.
  const question: Question = {
    type: 'pre-create',
    context,
    id: eventId(upload.id, 'pre-create'),
    upload: { ID: '', Storage: null },
  }
  let change: CreationChange | undefined
  // A refusal needs no change that makes sense.
  const answers = asking.ask(question, (response, who) =>
    response.RejectUpload === true
      ? ({ kind: 'reject', ...rejectionOf(response.HTTPResponse) } as const)
      : creationChange(response, who),
  )
  for await (const next of answers) {
    if (next?.kind === 'reject') return next
    change = mergedChange(change, next)
  }
  return change
}

async function decideProgress(asking: Asking, context: ProgressContext): Promise<ProgressDecision> {
  for await (const response of asking.ask(progressQuestion('post-receive', context), (it) => it)) {
    if (response.StopUpload === true) return { kind: 'stop', ...rejectionOf(response.HTTPResponse) }
  }
  return undefined
}

function progressQuestion(type: 'post-receive' | 'post-progress', context: ProgressContext): Question {
  const { upload, receivedBytes } = context
  return { type, context, id: freshId(upload.id, type), upload: { Offset: receivedBytes }, isOptional: true }
}

async function decideFinish(asking: Asking, context: FinishContext): Promise<FinishAnswer | undefined> {
  const { upload, attempt } = context
  const id = eventId(upload.id, 'pre-finish')
  let answer: FinishAnswer | undefined
  for await (const response of asking.ask({ type: 'pre-finish', context, id, attempt }, (it) => it)) {
    answer = finishAnswer(answer, response.HTTPResponse)
  }
  return answer
}

async function decideTerminate(asking: Asking, context: HookContext): Promise<TerminateDecision> {
  const id = freshId(context.upload.id, 'pre-terminate')
  for await (const response of asking.ask({ type: 'pre-terminate', context, id }, (it) => it)) {
    if (response.RejectTermination === true) return { kind: 'reject', ...rejectionOf(response.HTTPResponse) }
  }
  return undefined
}

/** For what is asked many times of one upload: a receiver that knows ids must not give its old answer. */
function freshId(id: UploadId, type: HookType): string {
  return `${eventId(id, type)}.${crypto.randomUUID()}`
}
