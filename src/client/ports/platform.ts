import type { Clock } from '../../core/ports/clock.ts'
import type { Features } from './features.ts'
import type { OpenSource, Slice } from './source.ts'
import type { Transport } from './transport.ts'
import type { UrlStorage } from './url-storage.ts'

export type ChecksumAlgorithm = 'sha1' | 'sha256' | 'sha512' | 'md5' | 'crc32'

/** Everything the state machine needs from the world. Node and the browser each make one; tests script theirs. */
export interface Platform {
  readonly transport: Transport
  readonly clock: Clock
  /** A number from 0 up to 1, for jitter. */
  random(): number
  /** A random identifier, at least 128 bit. */
  newId(): string
  readonly openSource: OpenSource
  /** `undefined`: neither checksums nor fingerprints can be made. */
  readonly hashing?: Hashing | undefined
  /** Used when the caller names none; `undefined`: nothing is remembered unless told where. */
  readonly urlStorage?: UrlStorage | undefined
  /** What the platform says about being online; `undefined` where it says nothing. */
  readonly connectivity: Connectivity | undefined
  /** What uploads can do besides sending a file from its first byte to its last. */
  readonly features: Features
}

/** Digests of slices, off the critical path where the platform can. */
export interface Hashing {
  readonly algorithms: ReadonlySet<ChecksumAlgorithm>
  digest(algorithm: ChecksumAlgorithm, slice: Slice, signal: AbortSignal): Promise<Uint8Array>
  /** SHA-256 of bytes in memory, for fingerprints. */
  sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array>
}

export interface Connectivity {
  readonly isOnline: boolean
  /**
   * Calls `listener` when the connection may be back.
   *
   * @returns A function that removes the listener.
   */
  onOnline(listener: () => void): () => void
}
