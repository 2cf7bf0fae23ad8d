import type { UploadId } from '../core/upload-id.ts'
import { parseHost } from '../protocol/host.ts'
import type { Arrival, RequestView } from './proxies.ts'
import { makeProxies } from './proxies.ts'

/** Where clients find uploads, as a request shows it. */
export interface Addresses {
  /** The request as its client sees it: by `publicUrl`, else as trusted proxies tell, else as it came. */
  view(arrival: Arrival): RequestView
  /** URL of one upload for a `Location` field. */
  locate(arrival: Arrival, id: UploadId): string
  /** Origins that this request may call this server by, such as `https://files.example`. */
  origins(arrival: Arrival): readonly string[]
  /** Path of the creation URL as the client of this request sees it. */
  publicBasePathOf(arrival: Arrival): string
}

export interface AddressOptions {
  readonly basePath: string
  /** URL of the creation endpoint as clients see it. */
  readonly publicUrl: string | undefined
  /** See {@link makeProxies}. */
  readonly trustedProxies: readonly string[] | undefined
}

/**
 * `Location` is absolute from `publicUrl`, else from what trusted proxies tell, else from a valid `Host` while nothing
 * hints at a proxy, else path-absolute: behind an unknown proxy a guessed scheme or host is the most reported trouble
 * of tus servers, and every mainstream client resolves a path (design decision 4).
 *
 * @throws {TypeError} when `publicUrl` is no http(s) URL, or an entry of `trustedProxies` is not understood.
 */
export function makeAddresses({ basePath, publicUrl, trustedProxies }: AddressOptions): Addresses {
  const fixed = publicUrl === undefined ? undefined : parsePublicUrl(publicUrl)
  const proxies = makeProxies(trustedProxies)
  const view = (arrival: Arrival): RequestView =>
    fixed === undefined ? proxies.view(arrival) : { ...proxies.view(arrival), ...partsOf(fixed) }
  return {
    view,
    publicBasePathOf: (arrival) => fixed?.pathname ?? `${proxies.view(arrival).prefix}${basePath}`,
    locate(arrival, id) {
      if (fixed !== undefined) return `${fixed.origin}${fixed.pathname}${id}`
      const { origin, prefix } = proxies.view(arrival)
      return `${origin ?? ''}${prefix}${basePath}${id}`
    },
    origins(arrival) {
      const hosts = [proxies.view(arrival).host, hostOf(arrival, 'host')]
      if (!proxies.areConfigured) hosts.push(hostOf(arrival, 'x-forwarded-host'))
      // Only compared with, never sent anywhere: an untrusted name, or the other scheme, can do no harm here.
      const named = hosts.flatMap((host) => (host === undefined ? [] : [`https://${host}`, `http://${host}`]))
      return [...new Set(fixed === undefined ? named : [fixed.origin, ...named])]
    },
  }
}

function partsOf({
  origin,
  host,
  protocol,
}: URL): Pick<RequestView, 'scheme' | 'host' | 'origin' | 'prefix'> {
  return { scheme: protocol === 'https:' ? 'https' : 'http', host, origin, prefix: '' }
}

function parsePublicUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new TypeError(`publicUrl is no http(s) URL: ${text}`)
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

function hostOf(arrival: Arrival, field: string): string | undefined {
  const host = parseHost(arrival.header(field) ?? '')
  return host.ok ? host.value : undefined
}
