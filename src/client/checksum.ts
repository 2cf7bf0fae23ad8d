import { TransferError } from './errors.ts'
import type { ChecksumFeature, Checksums } from './ports/features.ts'
import { againAfter } from './transfer.ts'
import type { TransferTask } from './transfer.ts'
import { base64 } from './tus-codec.ts'

const MOST_MISMATCHES = 5

/** `checksum`: each request has one. Of a file the next one is made while this one is sent. */
export const checksums: ChecksumFeature = {
  isPossible(capabilities, { hashing }, algorithm) {
    if (!capabilities?.extensions.has('checksum')) return false
    // tus 1.0 §Checksum: sha1 is always there; a list that CORS hides is no reason to go without.
    const offered = capabilities.checksumAlgorithms
    const isOffered = (name: string): boolean => (offered.size ? offered.has(name) : name === 'sha1')
    return !algorithm || (!!hashing?.algorithms.has(algorithm) && isOffered(algorithm))
  },
  make: checksumsOf,
}

function checksumsOf(task: TransferTask): Checksums {
  const { source, terms, options, platform } = task
  let algorithm = terms.checksum
  let ahead: { readonly start: number; readonly sizeBytes: number; readonly sum: Promise<string> } | undefined
  let at = 0
  /** How often in a row the server refused the checksum of the chunk there. */
  let count = 0
  const hash = async (start: number, sizeBytes: number, signal: AbortSignal): Promise<string> => {
    // A slice of its own: one is read at most once.
    const slice = await source.slice(start, sizeBytes, signal)
    const digest = algorithm && (await platform.hashing?.digest(algorithm, slice, signal))
    return digest ? `${algorithm} ${base64(digest)}` : ''
  }
  return {
    aheadBytes: (start) => (ahead?.start === start ? ahead.sizeBytes : undefined),
    async of({ start, sizeBytes }, nextBytes, signal) {
      if (!algorithm) return undefined
      if (at !== start) count = 0
      at = start
      const isKnown = ahead?.start === start && ahead.sizeBytes === sizeBytes
      const sum = await (isKnown ? ahead?.sum : hash(start, sizeBytes, signal))
      ahead = undefined
      if (source.isRewindable && nextBytes > 0) {
        const next = start + sizeBytes
        ahead = { start: next, sizeBytes: nextBytes, sum: hash(next, nextBytes, signal) }
        // It is awaited later, if at all.
        ahead.sum.catch(() => undefined)
      }
      return sum
    },
    refused(error) {
      const { status = 0 } = error
      // A server may answer otherwise than by 460, also because it cannot check at all.
      if (![400, 417, 460].includes(status)) return error
      count += 1
      if (count >= MOST_MISMATCHES) {
        return new TransferError('protocol', `the checksum was refused ${count} times`, { cause: error })
      }
      if (status === 460) return error
      if (count === 1 || options.required?.includes('checksum')) return againAfter(error)
      task.warn('goes on without checksums, which the server announces and refuses')
      algorithm = ahead = undefined
      return undefined
    },
  }
}
