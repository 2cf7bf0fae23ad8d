import type { UploadOptions } from './options.ts'
import type { Platform } from './ports/platform.ts'
import type { Transport } from './ports/transport.ts'
import { newId, wakefulClock } from './surroundings.ts'

export interface PlatformChoice {
  /** E.g. `xhrTransport({ withCredentials: true })`. @default XHR, or fetch where there is none */
  readonly transport?: Transport | undefined
  /** Parts of the platform to use instead of the browser's. */
  readonly platform?: Partial<Platform> | undefined
}

/** What all uploads in pages and workers have in common. */
export const page: Pick<Platform, 'clock' | 'random' | 'newId' | 'connectivity'> = {
  clock: wakefulClock,
  random: Math.random,
  newId,
  connectivity: {
    get isOnline() {
      return navigator.onLine
    },
    onOnline(listener) {
      addEventListener('online', listener)
      return () => removeEventListener('online', listener)
    },
  },
}

/** A relative endpoint means another place on another page: what is remembered has the whole address. */
export function absolute<Options extends Pick<UploadOptions, 'endpoint'>>(options: Options): Options {
  const { endpoint } = options
  return endpoint ? { ...options, endpoint: new URL(endpoint, location.href) } : options
}
