import type { Engine } from '../core/engine.ts'
import type { Catalog } from '../core/ports/catalog.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { EventSink, Hooks } from '../core/ports/hooks.ts'
import type { Store } from '../core/ports/store.ts'
import type { Json, UploadRecord } from '../core/upload.ts'
import { parseUploadId } from '../core/upload-id.ts'
import type { FailurePolicy, HookCall, HookTransport, HookType } from '../hooks/index.ts'
import { eventSinkOf, remoteHooks, startDelivery } from '../hooks/index.ts'
import { Pacing } from './pacing.ts'

/** Hooks that live outside of this process. */
export interface RemoteHooks {
  /** Asked in this order; each gets every event. */
  readonly transports: readonly HookTransport[]
  /** @default tusd's: pre-create, post-create, post-receive, post-terminate, post-finish */
  readonly types?: readonly HookType[]
  /** What happens to a request when a hook that has to decide cannot be asked. @default 'refuse' */
  readonly onFailure?: FailurePolicy
  /** Time for one decision, in milliseconds. @default 15000 */
  readonly timeoutMs?: number
  /** Request fields that are kept with events, beside harmless ones. Cookies and `Authorization` never are. */
  readonly keptHeaders?: readonly string[]
  /** Deliveries of an event before it is given up. @default 12 */
  readonly maxAttempts?: number
}

/** How the events and decisions of an engine leave the process. */
export interface Remote {
  readonly hooks: Hooks
  readonly sinks: readonly EventSink[]
  /** Delivers from now on what was written down, by whomever. @returns A function that ends it. */
  deliver(engine: Engine): () => Promise<void>
}

interface Parts {
  readonly store: Store
  readonly catalog: Catalog
  readonly clock: Clock
  readonly report: (error: unknown) => void
}

/** Small uploads become files within a second after their answer: their event waits that long for the path. */
const PLACE_WAIT_MS = 3000
const PLACE_LOOK_MS = 50
/** What a killed process was about to deliver waits this long for another one. */
const LEASE_MS = 10_000

export function remote(options: RemoteHooks, parts: Parts): Remote {
  const { transports, keptHeaders, maxAttempts, ...decisions } = options
  const storageOf = (record: UploadRecord): Json => storage(parts.store, record)
  const { report } = parts
  const types = options.types === undefined ? {} : { types: options.types }
  return {
    hooks: remoteHooks({ transports, ...decisions, storageOf, report }),
    sinks: transports.map((transport) =>
      eventSinkOf(transport, { ...types, storageOf, report, keptHeaders }),
    ),
    deliver(engine) {
      const deliverers = transports.map((transport) =>
        startDelivery({
          queues: parts.catalog.queues,
          transport: withPath(transport, parts),
          report,
          maxAttempts,
          leaseMs: LEASE_MS,
        }),
      )
      const end = engine.observe(() => {
        for (const deliverer of deliverers) deliverer.wake()
      }, 'events')
      return async () => {
        end()
        await Promise.all(deliverers.map((deliverer) => deliverer.close()))
        for (const transport of transports) await transport.close?.()
      }
    },
  }
}

/** tusd's words for the place of an upload. */
function storage(store: Store, record: UploadRecord): Json {
  const path = store.pathOf?.(record)
  return path === undefined ? null : { Type: 'filestore', Path: path, InfoPath: '' }
}

/** What is told of a finished upload names its file, which may have come to be after the event was written down. */
function withPath(transport: HookTransport, parts: Parts): HookTransport {
  const pacing = new Pacing(parts.clock)
  return {
    name: transport.name,
    async invoke(call, signal) {
      await pacing.turn()
      const found = call.type === 'post-finish' ? await placeOf(call, parts, signal) : null
      if (found === null) return transport.invoke(call, signal)
      const event = { ...call.event, Upload: { ...call.event.Upload, Storage: found } }
      return transport.invoke({ ...call, event }, signal)
    },
  }
}

async function placeOf(call: HookCall, { store, catalog, clock }: Parts, signal: AbortSignal): Promise<Json> {
  const id = parseUploadId(call.event.Upload.ID)
  if (id === undefined || store.pathOf === undefined) return null
  const deadlineMs = clock.nowMs() + PLACE_WAIT_MS
  for (;;) {
    const record = await catalog.get(id)
    if (record?.status !== 'complete') return null
    const isOnItsWay = record.chore === 'settle' && clock.nowMs() < deadlineMs
    if (!isOnItsWay) return storage(store, record)
    await new Promise<void>((resolve) => clock.after(PLACE_LOOK_MS, resolve))
    signal.throwIfAborted()
  }
}
