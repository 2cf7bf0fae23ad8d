import { createHmac } from 'node:crypto'

const PREFIX = 'whsec_'
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** Signs what is sent, so that a receiver who has the secret knows whom it comes from. */
export interface Signer {
  /** Header fields for one attempt. @param nowMs - The time of the attempt, not of the event. */
  sign(id: string, nowMs: number, body: string): Readonly<Record<string, string>>
}

/**
 * Signs as Standard Webhooks wants it: HMAC-SHA256 over `id.timestamp.body`, one signature per secret.
 *
 * @param secrets - `whsec_…` is Base64, anything else is taken as it stands. Several while one replaces the other.
 * @throws {TypeError} for an empty secret and for one that is no Base64; never quotes it.
 * @see https://www.standardwebhooks.com
 */
export function signer(secrets: readonly string[]): Signer {
  const keys = secrets.map(keyOf)
  return {
    sign(id, nowMs, body) {
      const timestamp = String(Math.floor(nowMs / 1000))
      const content = `${id}.${timestamp}.${body}`
      const signatures = keys.map((key) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`)
      return {
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signatures.join(' '),
      }
    },
  }
}

function keyOf(secret: string): Buffer {
  if (!secret.startsWith(PREFIX)) {
    if (secret === '') throw new TypeError('The secret of the HTTP hooks is empty')
    return Buffer.from(secret, 'utf8')
  }
  const encoded = secret.slice(PREFIX.length)
  if (!BASE64.test(encoded))
    throw new TypeError(`The secret of the HTTP hooks has no Base64 behind ${PREFIX}`)
  return Buffer.from(encoded, 'base64')
}
