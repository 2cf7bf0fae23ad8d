import type { DigestAlgorithm } from '../core/ports/digest.ts'
import { decodeBase64 } from './base64.ts'
import { excerpt, success } from './parsed.ts'
import type { Failure, Success } from './parsed.ts'
import { trimWhitespace } from './whitespace.ts'

/** Length of each algorithm's digest in bytes. A CRC-32 is sent as four bytes, the highest first. */
export const DIGEST_BYTES: Readonly<Record<DigestAlgorithm, number>> = Object.freeze({
  sha1: 20,
  sha256: 32,
  sha512: 64,
  md5: 16,
  crc32: 4,
})

/** Every algorithm Carryon knows; `sha1` is the one tus 1.0 demands. */
export const CHECKSUM_ALGORITHMS: readonly DigestAlgorithm[] = Object.freeze([
  'sha1',
  'sha256',
  'sha512',
  'md5',
  'crc32',
] as const)

/** A parsed `Upload-Checksum`. `digest` has the right length for `algorithm`. */
export interface UploadChecksum {
  readonly algorithm: DigestAlgorithm
  readonly digest: Uint8Array
}

/** Why an `Upload-Checksum` was refused: an algorithm not offered, or text that is no checksum at all. */
export interface ChecksumFailure extends Failure {
  readonly code: 'unsupported' | 'malformed'
}

const ALGORITHM_NAME = /^[a-z0-9][a-z0-9_-]*$/

/**
 * Parses `Upload-Checksum: <algorithm> <Base64 digest>` against the algorithms a server offers.
 *
 * Names are lower-case. The digest must be strict Base64 and exactly as long as the algorithm's.
 *
 * @see tus 1.0 "Checksum"
 */
export function parseUploadChecksum(
  raw: string,
  supported: readonly DigestAlgorithm[],
): Success<UploadChecksum> | ChecksumFailure {
  const text = trimWhitespace(raw)
  const space = text.indexOf(' ')
  if (space === -1) return refusal('malformed', 'Upload-Checksum needs an algorithm, a space and a digest.')
  const name = text.slice(0, space)
  if (!ALGORITHM_NAME.test(name)) {
    return refusal('malformed', `${excerpt(name)} is not a lower-case algorithm name.`)
  }
  const algorithm = supported.find((candidate) => candidate === name)
  if (algorithm === undefined)
    return refusal('unsupported', `The algorithm ${excerpt(name)} is not supported.`)
  const digest = decodeBase64(text.slice(space + 1))
  if (!digest.ok) return refusal('malformed', `The digest of Upload-Checksum is wrong: ${digest.reason}`)
  const length = DIGEST_BYTES[algorithm]
  if (digest.value.length !== length)
    return refusal('malformed', `A ${algorithm} digest has ${length} bytes.`)
  return success({ algorithm, digest: digest.value })
}

/** Whether a name is an algorithm Carryon knows. Lower-case names only. */
export function isDigestAlgorithm(name: string): name is DigestAlgorithm {
  return Object.hasOwn(DIGEST_BYTES, name)
}

function refusal(code: ChecksumFailure['code'], reason: string): ChecksumFailure {
  return { ok: false, code, reason }
}
