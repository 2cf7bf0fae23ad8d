import type { ChunkFeature, ChunkSize, OpenTask } from './ports/features.ts'
import type { ChecksumAlgorithm } from './ports/platform.ts'
import type { ResponseHead } from './ports/transport.ts'

/** What one upload does, after wishes were compared with what the server and the source can do. */
export interface Terms {
  readonly endpoint: string
  readonly metadata: Readonly<Record<string, string>>
  readonly chunks: ChunkSize
  readonly defersLength: boolean
  /** Less is used of a server that was not asked. */
  readonly sendsWithCreation?: boolean
  readonly canTerminate?: boolean
  /** More than 1: in parts, put together by the server. */
  readonly parts?: number
  readonly checksum?: ChecksumAlgorithm | undefined
  /** How the metadata of an upload on the server differ. */
  difference?(response: ResponseHead): string | undefined
}

export const SMALLEST_CHUNK_BYTES: number = 64 * 1024

/** As many bytes as wished, and half of those that a server refused. */
const plainChunks: ChunkFeature = (_clock, _origin, limitBytes = Infinity) => ({
  get limitBytes() {
    return limitBytes
  },
  shrink(sentBytes) {
    limitBytes = Math.floor(sentBytes / 2)
    return limitBytes > SMALLEST_CHUNK_BYTES / 2
  },
})

/** The terms with a server of which nothing is known: only the core of the protocol and creation are used. */
export function plainTerms({ platform, options, source }: OpenTask, endpoint: string): Terms {
  const { clock, features } = platform
  const { name, type } = source.traits
  // A part has none: the final upload has all of it.
  const known = options.partial ? {} : { ...(name && { filename: name }), ...(type && { filetype: type }) }
  const chunks = features.chunkSizeBytes ?? plainChunks
  return {
    endpoint,
    metadata: { ...known, ...options.metadata },
    chunks: chunks(clock, new URL(endpoint).origin, options.chunkSizeBytes),
    defersLength: source.sizeBytes === undefined,
  }
}
