import { onTestFinished } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import type { Catalog, QueueEntry, Queues, UploadEvent } from '../../src/core/ports/catalog.ts'
import type { UploadEventType } from '../../src/core/ports/hooks.ts'
import type { UploadId } from '../../src/core/upload-id.ts'
import { startDelivery } from '../../src/hooks/deliverer.ts'
import type { Deliverer, DelivererOptions } from '../../src/hooks/deliverer.ts'
import { eventSinkOf } from '../../src/hooks/event-sink.ts'
import { HookError } from '../../src/hooks/ports/hook-error.ts'
import type { HookCall, HookResponse, HookTransport } from '../../src/hooks/ports/transport.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { aRecord, aRequest, idOf } from './samples.ts'

export const QUEUE = 'hooks:one'
export const down: HookError = new HookError('unreachable', 'nobody there', { retry: 'soon' })

/** A receiver that a test answers for. */
class Receiver implements HookTransport {
  readonly name = 'one'
  readonly calls: HookCall[] = []
  readonly signals: AbortSignal[] = []
  /** What it does with a call; accepts where nothing else is said. */
  answer: (call: HookCall) => Promise<HookResponse> | HookResponse = () => ({})
  under = 0
  most = 0

  async invoke(call: HookCall, signal: AbortSignal): Promise<HookResponse> {
    this.calls.push(call)
    this.signals.push(signal)
    this.under += 1
    this.most = Math.max(this.most, this.under)
    try {
      return await this.answer(call)
    } finally {
      this.under -= 1
    }
  }

  get heard(): string[] {
    return this.calls.map(
      ({ type, event, attempt }) => `${type} ${event.Upload.ID.replace(/x+$/, '')} ${attempt}`,
    )
  }
}

export interface Scene {
  readonly clock: FakeClock
  readonly catalog: Catalog
  readonly queues: Queues
  readonly receiver: Receiver
  readonly reports: unknown[]
  /** Writes events down, as the engine does. */
  readonly tell: (upload: string, ...types: UploadEventType[]) => Promise<void>
  readonly start: (options?: Partial<DelivererOptions>) => Deliverer
  readonly waiting: () => Promise<readonly QueueEntry[]>
}

export function scene(): Scene {
  const clock = new FakeClock()
  const catalog = memoryCatalog()
  const receiver = new Receiver()
  const reports: unknown[] = []
  const sink = eventSinkOf(receiver, {
    types: ['post-create', 'post-finish', 'post-terminate', 'upload-failed'],
  })
  const told = new Set<UploadId>()
  return {
    clock,
    catalog,
    queues: catalog.queues,
    receiver,
    reports,
    async tell(upload, ...types) {
      const record = aRecord({ id: idOf(upload) })
      const events: UploadEvent[] = types.map((type) => ({
        queue: sink.queue,
        uploadId: record.id,
        type,
        atMs: clock.nowMs(),
        payload: sink.describe(type, record, aRequest()),
      }))
      const guard = { epoch: record.epoch, offset: record.offset, status: record.status }
      if (told.has(record.id)) await catalog.update(record.id, guard, {}, events)
      else await catalog.insert(record, events)
      told.add(record.id)
    },
    start(options = {}) {
      const deliverer = startDelivery({
        queues: catalog.queues,
        transport: receiver,
        clock,
        random: () => 0,
        report: (error) => void reports.push(error),
        ...options,
      })
      onTestFinished(async () => {
        const closed = deliverer.close({ graceMs: 0 })
        await clock.advance(0)
        await closed
      })
      return deliverer
    },
    waiting: () => catalog.queues.list({ queue: QUEUE, limit: 100 }),
  }
}

export function messages(errors: readonly unknown[]): string[] {
  return errors.map((error) => (error instanceof Error ? error.message : String(error)))
}

/** A queue with some of its methods replaced. */
export function queuesWith(queues: Queues, replaced: Partial<Queues>): Queues {
  return {
    enableClaims: () => queues.enableClaims(),
    take: (...parameters) => queues.take(...parameters),
    extend: (...parameters) => queues.extend(...parameters),
    done: (...parameters) => queues.done(...parameters),
    release: (...parameters) => queues.release(...parameters),
    replay: (...parameters) => queues.replay(...parameters),
    list: (...parameters) => queues.list(...parameters),
    nextDueMs: (...parameters) => queues.nextDueMs(...parameters),
    ...replaced,
  }
}
