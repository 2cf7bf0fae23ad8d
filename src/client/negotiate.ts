import { discover } from './capabilities.ts'
import { TransferError, Unsupported } from './errors.ts'
import type { Feature } from './options.ts'
import type { NegotiationFeature } from './ports/features.ts'
import { plainTerms } from './terms.ts'
import { metadataOf } from './tus-answers.ts'

/**
 * Settles the terms of an upload with what the server says it can do.
 *
 * @throws {Unsupported} when the server lacks what is required, or what cannot be done without.
 * @throws {TransferError} `server` when the source is larger than the server takes.
 */
export const negotiation: NegotiationFeature = async (
  task,
  { endpoint, source, requester, retry, signal },
) => {
  const { options, platform } = task
  const { features } = platform
  const { parallel = 1, checksum, required = [], uploadUrl, partial, deferLength } = options
  const capabilities = await retry.run(() => discover(requester, endpoint, signal))
  const has = (extension: string): boolean => !!capabilities?.extensions.has(extension)
  /** Whether a feature is used: wished for and there. What is required and not there ends the upload. */
  const uses = (feature: Feature, isThere: boolean | undefined, wish?: string | false): boolean => {
    if (!isThere && required.includes(feature)) throw new Unsupported(feature)
    if (!isThere && wish) task.warn(`goes on without ${wish}, which is not supported here`)
    return !!(isThere && wish)
  }
  const maxBytes = capabilities?.maxSizeBytes ?? Infinity
  if ((source.sizeBytes ?? 0) > maxBytes) {
    throw new TransferError(
      'server',
      `${source.sizeBytes} bytes are more than the ${maxBytes} the server takes`,
      {
        status: 413,
      },
    )
  }
  const canDivide = features.parallel?.isPossible(capabilities, source)
  const divides = uses('parallel', canDivide, parallel > 1 && !partial && !uploadUrl && 'parallel parts')
  const canHash = features.checksum?.isPossible(capabilities, platform, checksum)
  const hashes = uses('checksum', canHash, checksum && `${checksum} checksums`)
  const canTerminate = has('termination')
  uses('termination', canTerminate)
  const canDefer = has('creation-defer-length')
  uses('deferred-length', canDefer)
  if (!canDefer && source.sizeBytes === undefined) {
    // A short stream may end within what is held; then its length is known after all.
    await source.slice(0, source.maxSliceBytes ?? 0, signal)
    if (source.sizeBytes === undefined && capabilities) throw new Unsupported('an upload of unknown length')
  }
  const plain = plainTerms(task, endpoint, source)
  if (hashes) plain.chunks.limit?.()
  return {
    ...plain,
    defersLength: plain.defersLength || (canDefer && !!deferLength),
    // tus 1.0 leaves the checksum of a creation open: the content then waits for the first PATCH.
    sendsWithCreation: has('creation-with-upload') && !hashes,
    canTerminate,
    parts: divides ? parallel : 1,
    checksum: hashes ? checksum : undefined,
    difference(response) {
      const there = metadataOf(response) ?? {}
      const other = Object.entries(plain.metadata).find(([key, ours]) => (there[key] ?? ours) !== ours)
      return other && `the upload on the server has another ${other[0]}`
    },
  }
}
