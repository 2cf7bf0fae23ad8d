import type { Hash } from 'node:crypto'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { UploadOptions } from '../../client/options.ts'
import type { Found, Unusable } from './find-files.ts'
import { randomContent } from './random-bytes.ts'
import type { UploadConfig } from './settings.ts'

export type Sendable = Exclude<Found, Unusable>

/** What one upload is made of. */
export interface JobInput {
  readonly input: unknown
  /** Size, metadata and parts. */
  readonly options: UploadOptions
  /** Whether a later run finds it again. What it cannot find must not stay on the server. */
  readonly isResumable: boolean
  /** SHA-256 of everything that was sent; for streams only after the end. */
  digest(): Promise<Buffer>
}

const AUTO_PART_BYTES = 64 * 2 ** 20
const AUTO_PARTS = 4

export function openInput(item: Sendable, config: UploadConfig, stdin: AsyncIterable<Uint8Array>): JobInput {
  switch (item.kind) {
    case 'file':
      return fileInput(item.path, { ...item, config })
    case 'random':
      return streamInput(randomContent(item.sizeBytes), {
        config,
        sizeBytes: item.sizeBytes,
        known: { filename: item.name },
      })
    case 'stream':
      return streamInput(item.path === '-' ? stdin : createReadStream(item.path), {
        config,
        sizeBytes: config.files.lengthBytes,
        known: {},
      })
  }
}

function fileInput(
  path: string,
  file: { readonly sizeBytes: number; readonly relativePath?: string; readonly config: UploadConfig },
): JobInput {
  const { config, sizeBytes, relativePath } = file
  const parallel =
    config.parallel === 'auto'
      ? Math.min(AUTO_PARTS, Math.max(1, Math.floor(sizeBytes / AUTO_PART_BYTES)))
      : config.parallel
  return {
    input: path,
    options: {
      parallel,
      metadata: { ...(relativePath === undefined ? {} : { relativePath }), ...config.metadata },
      ...(config.deferLength ? { deferLength: true } : {}),
    },
    isResumable: config.state !== false,
    async digest() {
      const hash = createHash('sha256')
      for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk)
      return hash.digest()
    },
  }
}

interface StreamFacts {
  readonly config: UploadConfig
  readonly sizeBytes: number | undefined
  readonly known: Readonly<Record<string, string>>
}

function streamInput(
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { config, sizeBytes, known }: StreamFacts,
): JobInput {
  const hash = config.verify ? createHash('sha256') : undefined
  return {
    input: hash === undefined ? content : hashed(content, hash),
    options: {
      metadata: { ...known, ...config.metadata },
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      ...(config.deferLength ? { deferLength: true } : {}),
    },
    isResumable: false,
    digest: () => Promise.resolve((hash ?? createHash('sha256')).digest()),
  }
}

async function* hashed(
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  hash: Hash,
): AsyncIterable<Uint8Array> {
  for await (const chunk of content) {
    hash.update(chunk)
    yield chunk
  }
}
