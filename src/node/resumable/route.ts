import type { Exchange } from '../../server/exchange.ts'
import type { Handler } from '../../server/handler.ts'
import { hasCode } from '../../core/errors.ts'
import type { Engine } from '../../core/engine.ts'
import type { UploadId } from '../../core/upload-id.ts'
import { targetOf } from '../../server/request.ts'
import type { CheckedOptions } from './options.ts'

/**
 * Whose a request is: ours, the handler's (`plain`), or about another path, which is the handler's too where it has
 * nobody behind it.
 */
export type Whose = 'ours' | 'plain' | 'elsewhere'

/** What decides whose a request is. */
export type RequestHead = Pick<Exchange, 'method' | 'target' | 'header'>

/** A route with resumable uploads. */
export interface Route {
  /** Answered at once for nearly every request; an unknown name below the route has to be looked up. */
  whose(head: RequestHead): Whose | Promise<Whose>
  /** Answers what is ours. */
  readonly serve: Handler
  readonly engine: Engine
  close(waitMs?: number): Promise<void>
}

/** Tells tus requests from all others, which are left to the handler untouched. */
export function sorter(
  engine: Engine,
  { basePath, cors }: Pick<CheckedOptions, 'basePath' | 'cors'>,
): Route['whose'] {
  return (head) => {
    const target = targetOf(head.target, basePath)
    if (target === undefined || target.kind === 'server') return 'elsewhere'
    if (head.header('tus-resumable') !== undefined) return 'ours'
    if (head.method === 'OPTIONS') return isOurQuestion(head, cors !== false) ? 'ours' : 'plain'
    // People look at uploads with curl and browsers; the app may have things of such names too.
    return target.kind === 'upload' ? whoseUpload(engine, target.id) : 'plain'
  }
}

/** A browser asks beforehand also for plain requests, and only the app knows what it lets other origins do. */
function isOurQuestion(head: RequestHead, hasCors: boolean): boolean {
  if (head.header('access-control-request-method') === undefined) return true
  const fields = head.header('access-control-request-headers')?.toLowerCase().split(',') ?? []
  return hasCors && fields.some((field) => field.trim() === 'tus-resumable')
}

async function whoseUpload(engine: Engine, id: UploadId): Promise<Whose> {
  try {
    await engine.look(id)
  } catch (error) {
    if (hasCode(error, 'ERR_UPLOAD_NOT_FOUND')) return 'plain'
  }
  return 'ours'
}
