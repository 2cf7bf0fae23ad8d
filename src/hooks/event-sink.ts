import type { EventSink } from '../core/ports/hooks.ts'
import type { UploadId } from '../core/upload-id.ts'
import type { Json, UploadRecord } from '../core/upload.ts'
import { DEFAULT_HOOK_TYPES, isQueued } from './hook-types.ts'
import type { HookType } from './hook-types.ts'
import { storeMessage, uploadFacts } from './message.ts'
import type { HookTransport } from './ports/transport.ts'
import { isStorable, storedRequest, tusdUpload } from './tusd-event.ts'
import type { StorageOf } from './tusd-event.ts'

/** Header fields that say who asked and how, and are no secrets. */
export const KEPT_HEADERS: readonly string[] = [
  'content-type',
  'forwarded',
  'host',
  'origin',
  'tus-resumable',
  'upload-complete',
  'upload-concat',
  'upload-defer-length',
  'upload-draft-interop-version',
  'upload-length',
  'upload-offset',
  'user-agent',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-request-id',
]

export interface EventSinkOptions {
  /**
   * The queue's name. Keep it over restarts: what waits in a queue that nobody empties stays there.
   *
   * @default `hooks:` and the name of the transport
   */
  readonly queue?: string | undefined
  /**
   * What is told. Types that are asked live, such as `pre-create`, are left out.
   *
   * @default tusd's: `post-create`, `post-finish`, `post-terminate`
   */
  readonly types?: Iterable<HookType> | undefined
  /** @default nothing is said of the storage */
  readonly storageOf?: StorageOf | undefined
  /**
   * Header fields of the request that are stored with an event, beside those of `KEPT_HEADERS`. Cookies and
   * `Authorization` never are.
   *
   * @default none
   */
  readonly keptHeaders?: readonly string[] | undefined
  /** Hears what `storageOf` throws: the event is told without it. */
  readonly report?: ((error: unknown, id?: UploadId) => void) | undefined
}

/** The queue of events for a transport, unless another one is named. */
export function queueOf({ name }: HookTransport): string {
  return `hooks:${name}`
}

/**
 * What the engine writes down for a transport, in the transaction of what happened. A `Deliverer` tells it from there.
 *
 * @throws {TypeError} for a header field that must not be stored.
 */
export function eventSinkOf(transport: HookTransport, options: EventSinkOptions = {}): EventSink {
  const { queue = queueOf(transport), types = DEFAULT_HOOK_TYPES, keptHeaders = [] } = options
  for (const name of keptHeaders) {
    if (!isStorable(name)) throw new TypeError(`The header field ${name} must not be stored with events`)
  }
  const kept = new Set([...KEPT_HEADERS, ...keptHeaders].map((name) => name.toLowerCase()))
  return {
    queue,
    types: new Set([...types].filter(isQueued)),
    describe(_type, record, request) {
      return storeMessage({
        event: {
          Upload: tusdUpload(record, storageOf(options, record)),
          HTTPRequest: storedRequest(request, kept),
        },
        facts: uploadFacts(record),
      })
    },
  }
}

/** An upload must not fail for what is said of it. */
function storageOf({ storageOf: ask, report }: EventSinkOptions, record: UploadRecord): Json {
  try {
    return ask?.(record) ?? null
  } catch (error) {
    report?.(error, record.id)
    return null
  }
}
