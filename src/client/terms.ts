import type { Capabilities } from './capabilities.ts'
import { TransferError, Unsupported } from './errors.ts'
import type { Feature, UploadOptions } from './options.ts'
import type { ChecksumAlgorithm, Hashing } from './ports/platform.ts'
import type { Source } from './ports/source.ts'

/** What a stream may hold for replay, unless the caller says otherwise. */
export const REPLAY_BYTES: number = 16 * 1024 * 1024
/** A part smaller than this costs more in requests than it wins. */
const SMALLEST_PART_BYTES = 1024 * 1024
const UNKNOWN_LENGTH = 'an upload of unknown length'

/** What one upload does, after wishes were compared with what the server and the source can do. */
export interface Terms {
  readonly endpoint: string | undefined
  readonly metadata: Readonly<Record<string, string>>
  /** More than 1: in parts, put together by the server. */
  readonly parts: number
  readonly isPartial: boolean
  readonly sendsWithCreation: boolean
  readonly defersLength: boolean
  readonly checksum: ChecksumAlgorithm | undefined
  readonly needsChecksum: boolean
  readonly canTerminate: boolean
  readonly streamBytes: number
}

export interface Negotiation {
  readonly options: UploadOptions
  /** `undefined`: the server does not say, so only the core of the protocol and creation are used. */
  readonly capabilities: Capabilities | undefined
  readonly source: Source
  readonly hashing: Pick<Hashing, 'algorithms'>
  readonly signal: AbortSignal
  /** A wish is not met, and the upload goes on without. */
  readonly warn: (message: string) => void
}

/**
 * Settles the terms of an upload.
 *
 * @throws {Unsupported} when the server lacks what is required, or what cannot be done without.
 * @throws {TransferError} `server` when the source is larger than the server takes.
 */
export async function negotiate(negotiation: Negotiation): Promise<Terms> {
  const { options, capabilities, source } = negotiation
  const { parallel = 1, partial = false, checksum, required = [], uploadUrl } = options
  const { sizeBytes } = source
  const maxBytes = capabilities?.maxSizeBytes ?? Infinity
  if (sizeBytes !== undefined && sizeBytes > maxBytes) throw tooLarge(sizeBytes, maxBytes)
  const has = (extension: string): boolean => capabilities?.extensions.has(extension) === true
  /** Whether a feature is used: wished for and there. What is required and not there ends the upload. */
  const uses = (
    feature: Feature,
    what: string,
    is: { readonly wanted: boolean; readonly there: boolean },
  ): boolean => {
    if (!is.there && required.includes(feature)) throw new Unsupported(what)
    if (!is.there && is.wanted) negotiation.warn(`goes on without ${what}, which is not supported here`)
    return is.there && is.wanted
  }
  const isDivisible = has('concatenation') && source.isRewindable && sizeBytes !== undefined
  const wantsParts = parallel > 1 && !partial && uploadUrl === undefined
  const divides = uses('parallel', 'parts in parallel', { wanted: wantsParts, there: isDivisible })
  const hashing = { wanted: checksum !== undefined, there: canHash(negotiation) }
  const hashes = uses('checksum', `${checksum ?? 'any'} checksums`, hashing)
  const canTerminate = has('termination')
  uses('termination', 'termination', { wanted: false, there: canTerminate })
  const canDefer = has('creation-defer-length')
  uses('deferred-length', UNKNOWN_LENGTH, { wanted: false, there: canDefer })
  const room = Math.floor((sizeBytes ?? 0) / SMALLEST_PART_BYTES)
  return {
    endpoint: options.endpoint?.toString(),
    metadata: metadataOf(options, source),
    parts: divides ? Math.max(1, Math.min(parallel, room)) : 1,
    isPartial: partial,
    // tus 1.0 leaves the checksum of a creation open: the content then waits for the first PATCH.
    sendsWithCreation: has('creation-with-upload') && !hashes,
    defersLength: await defersLength(negotiation, canDefer),
    checksum: hashes ? checksum : undefined,
    needsChecksum: required.includes('checksum'),
    canTerminate,
    streamBytes: streamBytesOf(options),
  }
}

/** Half of what is held: one half is on its way while the other is gathered. */
function streamBytesOf({ replayBufferBytes = REPLAY_BYTES }: UploadOptions): number {
  return Math.max(1, Math.floor(replayBufferBytes / 2))
}

function canHash({ options, capabilities, hashing }: Negotiation): boolean {
  const { checksum } = options
  if (capabilities?.extensions.has('checksum') !== true) return false
  // tus 1.0 §Checksum: sha1 is always there; a list that CORS hides is no reason to go without.
  const offered = capabilities.checksumAlgorithms
  if (checksum === undefined) return true
  return (
    hashing.algorithms.has(checksum) && (offered.has(checksum) || (offered.size === 0 && checksum === 'sha1'))
  )
}

async function defersLength(negotiation: Negotiation, canDefer: boolean): Promise<boolean> {
  const { options, capabilities, source, signal } = negotiation
  const isUnknown = (): boolean => source.sizeBytes === undefined
  if (canDefer) return options.deferLength === true || isUnknown()
  // A short stream may end within what is held; then its length is known after all.
  if (isUnknown()) await source.slice(0, streamBytesOf(options), signal)
  if (isUnknown() && capabilities !== undefined) throw new Unsupported(UNKNOWN_LENGTH)
  return isUnknown()
}

/** The caller's, with the name and type of the file unless given. A part has none: the final upload has all of it. */
function metadataOf(
  { metadata = {}, partial = false }: UploadOptions,
  { traits }: Source,
): Record<string, string> {
  const known: Record<string, string> = {}
  if (traits.name !== undefined && !partial) known['filename'] = traits.name
  if (traits.type !== undefined && !partial) known['filetype'] = traits.type
  return { ...known, ...metadata }
}

function tooLarge(sizeBytes: number, maxBytes: number): TransferError {
  return new TransferError('server', `${sizeBytes} bytes are more than the ${maxBytes} the server takes`, {
    status: 413,
    hint: 'Send less, or ask the operator of the server for more.',
  })
}
