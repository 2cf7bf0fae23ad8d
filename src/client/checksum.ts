import { TransferError } from './errors.ts'
import type { ChecksumFeature } from './ports/features.ts'
import type { ChecksumAlgorithm } from './ports/platform.ts'
import type { Source } from './ports/source.ts'
import { againAfter } from './transfer.ts'
import { base64 } from './tus-codec.ts'

const MOST_MISMATCHES = 5

/** `checksum`: each request has one. Of a file the next one is made while this one is sent. */
export const checksums: ChecksumFeature = {
  isPossible(capabilities, { hashing }, algorithm = 'sha1') {
    const { extensions, checksumAlgorithms: offered } = capabilities ?? {}
    // tus 1.0 §Checksum: sha1 is always there; a list that CORS hides is no reason to go without.
    const isOffered = offered?.size ? offered.has(algorithm) : algorithm === 'sha1'
    return !!extensions?.has('checksum') && !!hashing?.algorithms.has(algorithm) && isOffered
  },
  make({ source, terms, options, platform, warn }) {
    const { hashing } = platform
    let algorithm = terms.checksum
    if (!algorithm || !hashing) return undefined
    let ahead:
      | { readonly start: number; readonly sizeBytes: number; readonly sum: Promise<string> }
      | undefined
    let at = 0
    /** How often in a row the server refused the checksum of the chunk there. */
    let count = 0
    const hash = async (
      name: ChecksumAlgorithm,
      ...[start, sizeBytes, signal]: Parameters<Source['slice']>
    ): Promise<string> => {
      // A slice of its own: one is read at most once.
      const slice = await source.slice(start, sizeBytes, signal)
      return `${name} ${base64(await hashing.digest(name, slice, signal))}`
    }
    return {
      aheadBytes: (start) => (ahead?.start === start ? ahead.sizeBytes : undefined),
      async of({ start, sizeBytes }, nextBytes, signal) {
        if (!algorithm) return undefined
        if (at !== start) count = 0
        at = start
        const isKnown = ahead?.start === start && ahead.sizeBytes === sizeBytes
        const sum = await (isKnown ? ahead?.sum : hash(algorithm, start, sizeBytes, signal))
        ahead = undefined
        if (source.isRewindable && nextBytes > 0) {
          const next = start + sizeBytes
          ahead = { start: next, sizeBytes: nextBytes, sum: hash(algorithm, next, nextBytes, signal) }
          // It is awaited later, if at all.
          ahead.sum.catch(() => {})
        }
        return sum
      },
      refused(error) {
        // A server may answer otherwise than by 460, also because it cannot check at all.
        if (!/4(00|17|60)/.test(`${error.status}`)) return error
        count += 1
        if (count >= MOST_MISMATCHES) {
          return new TransferError('protocol', `checksum refused ${count} times`, { cause: error })
        }
        if (error.status === 460) return error
        if (count === 1 || options.required?.includes('checksum')) return againAfter(error)
        warn('goes on without checksums')
        algorithm = ahead = undefined
        return undefined
      },
    }
  },
}
