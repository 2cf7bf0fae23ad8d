import type { UploadRecord } from '../core/upload.ts'
import type { HookCall, TusdEvent, UploadFacts } from './ports/transport.ts'

/** What Carryon tells of an upload beside tusd's event. */
export function uploadFacts(record: UploadRecord, owner: string | undefined = record.owner): UploadFacts {
  return {
    Owner: owner ?? null,
    ServerMetadata: record.serverMetadata,
    Status: record.status,
    CreatedAt: new Date(record.createdAtMs).toISOString(),
  }
}

/**
 * The JSON that hooks get: tusd's `Type` and `Event`, and `Carryon` with ours, which a hook made for tusd ignores.
 * `At` is when it happened, not when it is told.
 */
export function messageOf(call: HookCall): string {
  const { type, event, id, sequence, attempt, atMs, facts } = call
  const at = new Date(atMs).toISOString()
  const carryon = { EventID: id, Sequence: sequence, Attempt: attempt, At: at, ...facts }
  return JSON.stringify({ Type: type, Event: event, Carryon: carryon })
}

/** What of a message is known when an event is queued; the rest is added by whoever delivers it. */
export interface StoredMessage {
  readonly event: TusdEvent
  readonly facts: UploadFacts
}

export function storeMessage({ event, facts }: StoredMessage): string {
  return JSON.stringify({ Event: event, Carryon: facts })
}

/** @returns `undefined` for what {@link storeMessage} has not written. */
export function readStoredMessage(payload: string): StoredMessage | undefined {
  const message = parseObject(payload)
  const event = message?.['Event']
  const facts = message?.['Carryon']
  if (!isObject(event) || !isObject(event['Upload']) || !isObject(event['HTTPRequest'])) return undefined
  if (typeof event['Upload']['ID'] !== 'string' || !isObject(event['HTTPRequest']['Header'])) return undefined
  if (!isObject(facts)) return undefined
  // Ours, from the same catalog: its shape is known once the frame is there.
  return { event: event as unknown as TusdEvent, facts: facts as unknown as UploadFacts }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
