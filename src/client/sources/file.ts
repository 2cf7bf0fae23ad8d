import type { BigIntStats } from 'node:fs'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { SourceChanged } from '../errors.ts'
import type { Slice, Source, SourceOptions, SourceTraits } from '../ports/source.ts'
import { abortable } from '../abortable.ts'
import { directory, failWith, quoted } from './file-errors-node.ts'
import { extent, rangeOf } from './range.ts'
import type { Range } from './range.ts'
import { readableFeed } from './readable-node.ts'
import { streamSource } from './stream.ts'

/** Large enough that a call costs nothing beside the copying, small enough to stay in the processor's cache. */
const PIECE_BYTES = 1024 * 1024

/**
 * A source over a file: read where and when it is sent, through one descriptor from beginning to end.
 *
 * Pipes and devices (`/dev/stdin`, `<(command)`) are read as streams. A `FileHandle` is read from its first byte
 * whatever its position, and left open.
 *
 * @throws {TransferError} `source` when there is no such file, it is a directory or may not be read.
 */
export async function fileSource(input: string | FileHandle, options: SourceOptions): Promise<Source> {
  if (typeof input !== 'string') return await handleSource(input, options)
  const traits: SourceTraits = { name: basename(input), path: resolve(input) }
  const fail = failWith(quoted(input))
  // Asked before it is opened: opening a pipe waits for somebody who writes to it.
  const stats = await stat(input).catch(fail)
  if (stats.isDirectory()) throw directory(quoted(input))
  if (!stats.isFile()) return streamSource(readableFeed(createReadStream(input)), options, traits)
  const handle = await open(input).catch(fail)
  try {
    const opened = await handle.stat({ bigint: true }).catch(fail)
    return new FileSource({
      handle,
      opened,
      path: input,
      traits,
      range: rangeOf(options, Number(opened.size)),
    })
  } catch (error) {
    await handle.close().catch(() => undefined)
    throw error
  }
}

async function handleSource(handle: FileHandle, options: SourceOptions): Promise<Source> {
  const opened = await handle.stat({ bigint: true }).catch(failWith('the file'))
  if (opened.isDirectory()) throw directory('the open file')
  if (!opened.isFile())
    return streamSource(readableFeed(handle.createReadStream({ autoClose: false })), options)
  return new FileSource({
    handle,
    opened,
    path: undefined,
    traits: {},
    range: rangeOf(options, Number(opened.size)),
  })
}

interface OpenFile {
  readonly handle: FileHandle
  readonly opened: BigIntStats
  /** `undefined`: the handle is the caller's. */
  readonly path: string | undefined
  readonly traits: SourceTraits
  readonly range: Range
}

interface Piece {
  readonly buffer: Uint8Array
  readonly length: number
}

class FileSource implements Source {
  readonly isRewindable = true
  readonly sizeBytes: number
  readonly traits: SourceTraits
  readonly #file: OpenFile
  readonly #name: string
  /** Buffers that were sent, to be filled again: reading a gigabyte takes two per request at a time. */
  readonly #free: Uint8Array[] = []
  #closing: Promise<void> | undefined

  constructor(file: OpenFile) {
    this.#file = file
    this.#name = file.path === undefined ? 'the file' : quoted(file.path)
    this.sizeBytes = file.range.end - file.range.start
    this.traits = { ...file.traits, modifiedMs: Number(file.opened.mtimeMs) }
  }

  async slice(start: number, maxBytes: number, signal: AbortSignal): Promise<Slice> {
    signal.throwIfAborted()
    const place = extent(this.sizeBytes, start, maxBytes)
    const from = this.#file.range.start + start
    return {
      ...place,
      content: { kind: 'chunks', chunks: (signal) => this.#read(from, from + place.sizeBytes, signal) },
    }
  }

  release(): void {}

  async verify(): Promise<void> {
    await this.#checkDescriptor()
    const { path, opened } = this.#file
    if (path === undefined) return
    const now = await stat(path, { bigint: true }).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      return failWith(this.#name)(error)
    })
    if (now?.ino !== opened.ino) throw new SourceChanged(`${this.#name} was replaced or removed`)
  }

  close(): Promise<void> {
    this.#free.length = 0
    // Waits for calls under way by itself. What fails here cannot harm what was read.
    const closing =
      this.#file.path === undefined ? undefined : this.#file.handle.close().catch(() => undefined)
    this.#closing ??= Promise.resolve(closing)
    return this.#closing
  }

  async *#read(start: number, end: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let ahead = this.#readAhead(start, end)
    for (let at = start; at < end;) {
      const { buffer, length } = await abortable(ahead, signal)
      at += length
      if (at < end) ahead = this.#readAhead(at, end)
      // The last piece completes the request: without it the server never takes old and new bytes for one content.
      else await this.#checkDescriptor()
      yield buffer.subarray(0, length)
      // Only now: whoever breaks off may still have the piece in a socket.
      if (buffer.length === PIECE_BYTES && this.#closing === undefined) this.#free.push(buffer)
    }
  }

  #readAhead(position: number, end: number): Promise<Piece> {
    const reading = this.#fill(position, Math.min(PIECE_BYTES, end - position))
    // Whoever sends the piece before may never ask for this one.
    reading.catch(() => undefined)
    return reading
  }

  async #fill(position: number, length: number): Promise<Piece> {
    // No `Buffer`: the `slice` of one is no copy, which would deceive a reader who wants to keep a piece.
    const buffer = this.#free.pop() ?? new Uint8Array(length)
    for (let filled = 0; filled < length;) {
      const reading = this.#file.handle.read(buffer, filled, length - filled, position + filled)
      const { bytesRead } = await reading.catch(failWith(this.#name))
      if (bytesRead === 0) throw new SourceChanged(`${this.#name} became shorter while it was read`)
      filled += bytesRead
    }
    return { buffer, length }
  }

  async #checkDescriptor(): Promise<void> {
    const { handle, opened } = this.#file
    const now = await handle.stat({ bigint: true }).catch(failWith(this.#name))
    if (now.size !== opened.size || now.mtimeNs !== opened.mtimeNs) {
      throw new SourceChanged(`${this.#name} has changed since the upload began`)
    }
  }
}
