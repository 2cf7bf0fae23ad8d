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
export const negotiation: NegotiationFeature = async (task, endpoint, run) => {
  const { options, platform, source, requester } = task
  const { signal } = run
  const { parallel, checksum: sums } = platform.features
  const { checksum, required = [] } = options
  const capabilities = await task.retry(run, 'preparing').run(() => discover(requester, endpoint, signal))
  const has = (extension: string): boolean => !!capabilities?.extensions.has(extension)
  /** Whether a feature is used: wished for and there. What is required and not there ends the upload. */
  const uses = (feature: Feature, isThere: boolean | undefined, wish?: string | false): boolean => {
    if (isThere) return wish !== false
    if (required.includes(feature)) throw new Unsupported(feature)
    if (wish) task.warn(`goes on without ${wish}`)
    return false
  }
  const { sizeBytes = 0 } = source
  const { maxSizeBytes = Infinity } = capabilities ?? {}
  if (sizeBytes > maxSizeBytes) {
    const message = `the server takes ${maxSizeBytes} bytes, the source has ${sizeBytes}`
    throw new TransferError('server', message, { status: 413 })
  }
  const parts = options.partial || options.uploadUrl ? 1 : (options.parallel ?? 1)
  const divides = uses('parallel', parallel?.isPossible(capabilities, source), parts > 1 && 'parallel parts')
  const hashes = uses('checksum', sums?.isPossible(capabilities, platform, checksum), checksum ?? false)
  const canTerminate = uses('termination', has('termination'))
  const canDefer = uses('deferred-length', has('creation-defer-length'))
  if (!canDefer && source.sizeBytes === undefined) {
    // A short stream may end within what is held; then its length is known after all.
    await source.slice(0, source.maxSliceBytes ?? 0, signal)
    if (source.sizeBytes === undefined && capabilities) throw new Unsupported('deferred-length')
  }
  const plain = plainTerms(task, endpoint)
  if (hashes) plain.chunks.limit?.()
  return {
    ...plain,
    defersLength: plain.defersLength || (canDefer && !!options.deferLength),
    // tus 1.0 leaves the checksum of a creation open: the content then waits for the first PATCH.
    sendsWithCreation: has('creation-with-upload') && !hashes,
    canTerminate,
    parts: divides ? parts : 1,
    checksum: hashes ? checksum : undefined,
    difference(response) {
      const there = metadataOf(response) ?? {}
      const other = Object.entries(plain.metadata).find(([key, ours]) => (there[key] ?? ours) !== ours)
      return other && `the upload has another ${other[0]}`
    },
  }
}
