import type { RecordChange } from '../core/ports/catalog.ts'
import type { Handling, Placement, UploadRecord } from '../core/upload.ts'

/**
 * The record, or change of one, with its bytes alone in buffers of their own: the caller may reuse its buffer, and a
 * view into a large one, cloned for another thread, would be cloned with all of it.
 */
export function withOwnBytes<T extends UploadRecord | RecordChange>(value: T): T {
  const placement = ownInline(value.placement)
  const handling = ownBody(value.handling)
  if (placement === value.placement && handling === value.handling) return value
  return { ...value, ...(placement && { placement }), ...(handling && { handling }) }
}

function ownInline(placement: Placement | undefined): Placement | undefined {
  if (placement?.inline === undefined) return placement
  return { ...placement, inline: new Uint8Array(placement.inline) }
}

function ownBody(handling: Handling | undefined): Handling | undefined {
  if (handling?.answer === undefined) return handling
  return { ...handling, answer: { ...handling.answer, body: new Uint8Array(handling.answer.body) } }
}
