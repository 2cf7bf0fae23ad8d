/** Checksum algorithms by their tus name. */
export type DigestAlgorithm = 'sha1' | 'sha256' | 'sha512' | 'md5' | 'crc32'

/** A checksum being computed. */
export interface Digest {
  /** A promise is back-pressure: the hash is behind. The chunks must not change before it has resolved. */
  update(chunks: readonly Uint8Array[]): void | Promise<void>
  result(): Uint8Array | Promise<Uint8Array>
}

/** Computes checksums; injected, because hashing is the platform's. */
export interface Digests {
  readonly algorithms: readonly DigestAlgorithm[]
  create(algorithm: DigestAlgorithm): Digest
}

/** The checksum that a client promised for the content of one request. */
export interface Checksum {
  readonly algorithm: DigestAlgorithm
  readonly digest: Uint8Array
}
