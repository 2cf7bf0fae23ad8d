import type { HookCall } from './ports/transport.ts'
import { canonicalName } from './tusd-event.ts'

/** What belongs to one connection or one message, and to the client's request alone (RFC 9110 §7.6.1). */
const NEVER: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // Ours: a client could sign for us.
  'hook-name',
  'idempotency-key',
  'webhook-id',
  'webhook-signature',
  'webhook-timestamp',
])

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
/** A field is passed on as it came or not at all. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The names of header fields that a transport passes on from the client's request.
 *
 * @throws {TypeError} for what is no name, and for what cannot be passed on.
 */
export function forwardList(names: readonly string[] = []): readonly string[] {
  return [...new Set(names.map((name) => forwardable(name.trim().toLowerCase())))]
}

function forwardable(name: string): string {
  if (!FIELD_NAME.test(name)) throw new TypeError(`${JSON.stringify(name)} is not the name of a header field`)
  if (NEVER.has(name)) throw new TypeError(`The header field ${name} cannot be forwarded to a hook`)
  return name
}

/** The listed fields of the request behind a call, with all their values. */
export function forwardedFields(
  { event }: HookCall,
  list: readonly string[],
): readonly (readonly [name: string, values: readonly string[]])[] {
  const fields: (readonly [string, readonly string[]])[] = []
  for (const name of list) {
    const values = event.HTTPRequest.Header[canonicalName(name)]?.filter((value) => FIELD_VALUE.test(value))
    if (values !== undefined && values.length > 0) fields.push([name, values])
  }
  return fields
}
