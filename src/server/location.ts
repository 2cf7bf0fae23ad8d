import type { UploadId } from '../core/upload-id.ts'
import { parseHost } from '../protocol/host.ts'
import type { Exchange } from './exchange.ts'

/** Where clients find uploads, as a request shows it. */
export interface Addresses {
  /** URL of one upload for a `Location` field. */
  locate(exchange: Exchange, id: UploadId): string
  /** Origins that this request may call this server by, such as `https://files.example`. */
  origins(exchange: Exchange): readonly string[]
  /** Path of the creation URL as clients see it. */
  readonly publicBasePath: string | undefined
}

const PROXY_SIGNS = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'via',
  'x-real-ip',
]

/**
 * `Location` is absolute from `publicUrl`, else from a valid `Host` while nothing hints at a proxy, else
 * path-absolute: behind an unknown proxy a guessed scheme or host is the most reported trouble of tus servers,
 * and every mainstream client resolves a path (design decision 4).
 *
 * @param publicUrl - URL of the creation endpoint as clients see it.
 * @throws {TypeError} when `publicUrl` is no http(s) URL.
 */
export function makeAddresses(basePath: string, publicUrl: string | undefined): Addresses {
  const fixed = publicUrl === undefined ? undefined : parsePublicUrl(publicUrl)
  return {
    publicBasePath: fixed?.pathname,
    locate(exchange, id) {
      if (fixed !== undefined) return `${fixed.origin}${fixed.pathname}${id}`
      const origin = hasProxySign(exchange) ? undefined : hostOrigin(exchange)
      return `${origin ?? ''}${basePath}${id}`
    },
    origins(exchange) {
      const named = [fixed?.origin, hostOrigin(exchange)]
      // Only compared with, never sent anywhere: an untrusted name can do no harm here.
      const forwarded = parseHost(exchange.header('x-forwarded-host') ?? '')
      if (forwarded.ok) named.push(`https://${forwarded.value}`, `http://${forwarded.value}`)
      return named.filter((origin) => origin !== undefined)
    },
  }
}

function parsePublicUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new TypeError(`publicUrl is no http(s) URL: ${text}`)
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

function hasProxySign(exchange: Exchange): boolean {
  // Nginx speaks HTTP/1.0 to its upstream by default; no client of today does.
  return exchange.httpVersion === '1.0' || PROXY_SIGNS.some((name) => exchange.header(name) !== undefined)
}

function hostOrigin(exchange: Exchange): string | undefined {
  const host = parseHost(exchange.header('host') ?? '')
  return host.ok ? `${exchange.isSecure ? 'https' : 'http'}://${host.value}` : undefined
}
