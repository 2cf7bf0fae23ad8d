import type { Clock } from '../core/ports/clock.ts'
import type { QueueEntry, Queues } from '../core/ports/catalog.ts'
import { eventId } from '../core/ports/hooks.ts'
import type { UploadId } from '../core/upload-id.ts'
import { bounded } from './bounded.ts'
import { HookError, isHookError } from './ports/hook-error.ts'
import { isHookType } from './hook-types.ts'
import { readStoredMessage } from './message.ts'
import type { HookCall, HookTransport } from './ports/transport.ts'

/** How one delivery has ended. */
export type Outcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'failed'; readonly error: HookError }
  /** Given up from here. */
  | { readonly kind: 'interrupted' }
  /** The event is somebody else's by now. */
  | { readonly kind: 'lost' }

export interface DeliveryParts {
  readonly queues: Queues
  readonly transport: HookTransport
  readonly clock: Clock
  readonly leaseMs: number
  readonly timeoutMs: number
  readonly report: (error: unknown, id?: UploadId) => void
}

class Lost extends Error {}
class Interrupted extends Error {}

/** One attempt to deliver one event, which stays ours while it goes on. */
export class Delivery {
  readonly #parts: DeliveryParts
  readonly #entry: QueueEntry
  readonly #controller = new AbortController()
  #cancelExtend = (): void => undefined

  constructor(parts: DeliveryParts, entry: QueueEntry) {
    this.#parts = parts
    this.#entry = entry
  }

  /** Ends it at once. */
  interrupt(): void {
    this.#controller.abort(new Interrupted())
  }

  async run(): Promise<Outcome> {
    const { transport, clock, timeoutMs } = this.#parts
    const late = (): Error =>
      new HookError('timeout', `${transport.name} has not answered within ${timeoutMs} ms`, { retry: 'soon' })
    this.#extendSoon()
    try {
      const call = callOf(this.#entry)
      const bound = { clock, timeoutMs, signal: this.#controller.signal, late }
      await bounded(bound, (signal) => transport.invoke(call, signal))
      return { kind: 'delivered' }
    } catch (error) {
      if (error instanceof Lost) return { kind: 'lost' }
      if (error instanceof Interrupted) return { kind: 'interrupted' }
      return { kind: 'failed', error: isHookError(error) ? error : unexpected(transport, error) }
    } finally {
      this.#cancelExtend()
    }
  }

  #extendSoon(): void {
    // Twice in a lease: one late answer of the catalog loses nothing.
    this.#cancelExtend = this.#parts.clock.after(this.#parts.leaseMs / 3, () => void this.#extend())
  }

  async #extend(): Promise<void> {
    const { queues, clock, leaseMs, report } = this.#parts
    this.#extendSoon()
    try {
      const isOurs = await queues.extend(this.#entry, clock.nowMs() + leaseMs)
      if (!isOurs) this.#controller.abort(new Lost())
    } catch (error) {
      report(error, this.#entry.uploadId)
    }
  }
}

/** @throws {HookError} for an entry that no attempt can deliver. */
function callOf({ type, uploadId, sequence, attempts, atMs, payload }: QueueEntry): HookCall {
  const message = readStoredMessage(payload)
  if (!isHookType(type) || message === undefined) {
    throw new HookError('setup', 'The stored event cannot be read', { retry: 'never' })
  }
  return { type, id: eventId(uploadId, type), sequence, attempt: attempts, atMs, ...message }
}

function unexpected({ name }: HookTransport, cause: unknown): HookError {
  return new HookError('setup', `The hook transport ${name} failed`, { retry: 'soon', cause })
}
