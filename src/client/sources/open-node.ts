import { ReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { TransferError } from '../errors.ts'
import type { OpenSource, Source, SourceOptions } from '../ports/source.ts'
import { fileSource } from './file.ts'
import { openContent } from './open-content.ts'
import { rangeOf } from './range.ts'
import { readableFeed } from './readable-node.ts'
import { streamSource } from './stream.ts'

/**
 * Opens what a program has: a path, a `file:` URL, a `FileHandle`, Blob and File, buffers, a Node or web stream
 * (`process.stdin` is one), iterables of bytes or text.
 *
 * A string is a path. To send text itself, pass its bytes (`Buffer.from(text)`) or a Blob.
 * A stream of `fs.createReadStream()` that nobody has read yet is taken as the file, so that it can go back.
 */
export const openNodeSource: OpenSource = async (input, options) => {
  if (typeof input === 'string') return await fileSource(input, options)
  if (input instanceof URL) return await fileSource(pathOf(input), options)
  if (isFileHandle(input)) return await fileSource(input, options)
  if (input instanceof ReadStream)
    return (await readStreamSource(input, options)) ?? readableSource(input, options)
  if (isReadable(input)) return readableSource(input, options)
  return openContent(input, options)
}

function pathOf(url: URL): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw new TransferError('source', `${url.href} is not a file`, {
      cause,
      hint: 'Only file: URLs can be read.',
    })
  }
}

function readableSource(readable: Readable, options: SourceOptions): Source {
  return streamSource(readableFeed(readable), options)
}

/** The file behind an untouched stream; `undefined` when there is none that could be read from elsewhere. */
async function readStreamSource(
  stream: ReadStream & { readonly start?: unknown; readonly end?: unknown },
  options: SourceOptions,
): Promise<Source | undefined> {
  const { path, start, end } = stream
  // It opens its file at once, and may fail while we look at it.
  stream.on('error', () => undefined)
  if (typeof path !== 'string' || stream.readableDidRead || stream.readableFlowing === true) return undefined
  const stats = await stat(path).catch(() => undefined)
  if (stats?.isFile() !== true) return undefined
  const first = typeof start === 'number' ? start : 0
  const last = typeof end === 'number' ? end : Infinity
  const range = rangeOf(options, Math.max(0, Math.min(last + 1, stats.size) - first))
  stream.destroy()
  return await fileSource(path, {
    replayBufferBytes: options.replayBufferBytes,
    startBytes: first + range.start,
    endBytes: first + range.end,
  })
}

function isReadable(input: unknown): input is Readable {
  if (input instanceof Readable) return true
  // Streams of the `readable-stream` package are not of this class.
  return isObject(input) && typeof input['pipe'] === 'function' && typeof input['destroy'] === 'function'
}

function isFileHandle(input: unknown): input is FileHandle {
  return isObject(input) && typeof input['fd'] === 'number' && typeof input['stat'] === 'function'
}

function isObject(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null
}
