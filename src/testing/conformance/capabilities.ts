import { extensions, type Extension } from './case.ts'
import { header, listHeader, type Answer } from './expect.ts'

/** What a server says of itself, and the two things outside tus that are found by trying. */
export interface Capabilities {
  readonly versions: readonly string[]
  readonly extensions: ReadonlySet<Extension>
  /** `undefined`: no limit is announced. */
  readonly maxSizeBytes: bigint | undefined
  readonly checksumAlgorithms: readonly string[]
  /** The server answers GET of a finished upload with its bytes. */
  readonly download: boolean
  /** The server answers requests from other origins with CORS fields. */
  readonly cors: boolean
  /** What stands before the id in the path of an upload, with the slash. */
  readonly uploadBase: string
}

/** Reads the announcement out of an OPTIONS answer. */
export function announced(options: Answer): Omit<Capabilities, 'download' | 'cors' | 'uploadBase'> {
  const names = new Set(listHeader(options, 'Tus-Extension'))
  const limit = header(options, 'Tus-Max-Size')
  return {
    versions: listHeader(options, 'Tus-Version'),
    extensions: new Set(extensions.filter((name) => names.has(name))),
    maxSizeBytes: limit !== undefined && /^\d{1,30}$/.test(limit) ? BigInt(limit) : undefined,
    checksumAlgorithms: listHeader(options, 'Tus-Checksum-Algorithm'),
  }
}
