import { resolve } from 'node:path'
import type { FinishAnswer, FinishContext, HookContext, Hooks } from '../../core/ports/hooks.ts'
import { change } from '../../core/ports/hooks.ts'
import { isCreationPath, pathOfTarget } from '../../protocol/upload-url.ts'
import type { OnRequest } from '../../server/gate.ts'
import { createHandler } from '../../server/handler.ts'
import { openUploads } from '../index.ts'
import { finishAnswer } from './answer.ts'
import { whoAsks } from './asked.ts'
import { clearAway } from './clear-away.ts'
import type { HandlerCall } from './handler-call.ts'
import type { CheckedOptions } from './options.ts'
import { ordinaryRequest, withCircumstances } from './ordinary-request.ts'
import type { Route } from './route.ts'
import { sorter } from './route.ts'

/** Directories of the routes of this process. */
const taken = new Map<string, string>()

/**
 * Opens the uploads of a route and takes up those whose handler has not answered yet.
 *
 * @param call - Calls the handler.
 * @throws {TypeError} where another route of this process has the directory: its handler would get our uploads.
 */
export async function openRoute(options: CheckedOptions, call: HandlerCall): Promise<Route> {
  const dir = resolve(options.dir)
  const other = taken.get(dir)
  if (other !== undefined)
    throw new TypeError(`dir must be another one for each route: ${options.dir} belongs to ${other}`)
  taken.set(dir, options.basePath)
  const leave = (): boolean => taken.delete(dir)
  try {
    const route = await open(options, call)
    let closing: Promise<void> | undefined
    return { ...route, close: (waitMs) => (closing ??= route.close(waitMs).finally(leave)) }
  } catch (error) {
    leave()
    throw error
  }
}

async function open(options: CheckedOptions, call: HandlerCall): Promise<Route> {
  const { basePath, onRequest, report, validForMs, keepFiles, deliver, ...rest } = options
  const attempts = new Attempts()
  const shared = { ...rest, report, path: basePath, download: options.download ?? false }
  const uploads = await openUploads({
    ...shared,
    // Only who wants files gets them: a stream needs no second name, and small uploads no file at all.
    ...(deliver === 'path' || keepFiles ? {} : { completedDir: false }),
    expireAfterMs: validForMs,
    completeAfterMs: keepFiles ? undefined : validForMs,
    hooks: hooksOf(options, (context) => attempts.run((signal) => answerTo(context, options, call, signal))),
  })
  const { engine } = uploads
  const stopClearing = keepFiles ? undefined : clearAway(engine, report)
  return {
    whose: sorter(engine, options),
    serve: createHandler({
      ...shared,
      engine,
      ...(onRequest === undefined ? {} : { onRequest: withRaw(onRequest) }),
    }),
    engine,
    async close(waitMs = 10_000) {
      await attempts.end(waitMs)
      await stopClearing?.()
      await uploads.close(waitMs)
      attempts.giveUp()
    },
  }
}

/** Calls of the handler that are under way. */
class Attempts {
  /** Each with what gives it up. */
  readonly #running = new Map<Promise<unknown>, AbortController>()

  async run<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const giving = new AbortController()
    const attempt = unless(giving.signal, work(giving.signal))
    this.#running.set(attempt, giving)
    try {
      return await attempt
    } finally {
      this.#running.delete(attempt)
    }
  }

  /** Waits for them, at most so long. */
  async end(waitMs: number): Promise<void> {
    const timer = setTimeout(() => this.giveUp(), waitMs)
    await Promise.allSettled(this.#running.keys())
    clearTimeout(timer)
  }

  /** Whoever is still at work is called again after the next start. */
  giveUp(): void {
    for (const giving of this.#running.values()) giving.abort(new Error('the server closes'))
  }
}

function withRaw(onRequest: NonNullable<CheckedOptions['onRequest']>): OnRequest {
  return (context) => {
    const asked = whoAsks()
    if (asked === undefined) throw new Error('nobody asks')
    return onRequest(context, asked.raw)
  }
}

function hooksOf(
  { onCreate, onAppend, onTerminate }: CheckedOptions,
  onFinish: NonNullable<Hooks['onFinish']>,
): Hooks {
  return {
    ...(onAppend === undefined ? {} : { onAppend }),
    ...(onTerminate === undefined ? {} : { onTerminate }),
    async onCreate(context: HookContext) {
      const decision = (await onCreate?.(context)) ?? undefined
      if (decision?.kind === 'reject') return decision
      const given = decision?.serverMetadata ?? context.upload.serverMetadata
      return change({ ...decision, serverMetadata: withCircumstances(given, whoAsks()?.circumstances) })
    },
    onFinish,
  }
}

async function answerTo(
  context: FinishContext,
  options: CheckedOptions,
  call: HandlerCall,
  signal: AbortSignal,
): Promise<FinishAnswer> {
  const path = options.deliver === 'path' ? await context.path() : undefined
  const answer = await call(ordinaryRequest(context, options, path, signal))
  return finishAnswer(answer, {
    isCreation: isCreation(context, options.basePath),
    hasCors: options.cors !== false,
    report: options.report,
  })
}

/** Whether the request that brought the last bytes is the one that creates the upload. */
function isCreation({ request }: FinishContext, basePath: string): boolean {
  const path = request === undefined ? undefined : pathOfTarget(request.target)
  return path !== undefined && isCreationPath(path, basePath)
}

function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
