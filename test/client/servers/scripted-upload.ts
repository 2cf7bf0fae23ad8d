import { createHash } from 'node:crypto'

/** An upload in the memory of a scripted server. */
export class ScriptedUpload {
  readonly path: string
  readonly metadata: string | undefined
  /** As the client sent it. */
  readonly concat: string | undefined
  length: number | undefined
  /** The server has dropped it: it answers 404, the bytes stay here for the test. */
  isGone = false
  readonly #chunks: Uint8Array[] = []
  #offset = 0

  constructor(path: string, fields: ScriptedUploadFields) {
    this.path = path
    this.length = fields.length
    this.metadata = fields.metadata
    this.concat = fields.concat
  }

  get offset(): number {
    return this.#offset
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  get isComplete(): boolean {
    return this.#offset === this.length
  }

  append(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#offset += chunk.length
  }
}

export interface ScriptedUploadFields {
  readonly length: number | undefined
  readonly metadata: string | undefined
  readonly concat: string | undefined
}

/** Whether the bytes have the digest of an `Upload-Checksum` field; `undefined` for an unknown algorithm. */
export function matches(
  field: string,
  algorithms: readonly string[],
  bytes: Uint8Array,
): boolean | undefined {
  const [algorithm = '', digest = ''] = field.split(' ')
  if (!algorithms.includes(algorithm)) return undefined
  return createHash(algorithm).update(bytes).digest('base64') === digest
}
