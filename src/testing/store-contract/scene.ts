import assert from 'node:assert/strict'

import { isUploadError } from '../../core/errors.ts'
import type { ErrorCode } from '../../core/errors.ts'
import type { Appender, ByteRange, Commit, Store, WriteRight } from '../../core/ports/store.ts'
import { parseUploadId } from '../../core/upload-id.ts'
import type { Placement, UploadRecord } from '../../core/upload.ts'
import { NO_APPLICATION } from '../../core/upload.ts'
import type { StoreFixture } from '../store-contract.ts'

/** One test of the contract. */
export interface Scenario {
  readonly name: string
  readonly run: (scene: Scene) => Promise<void>
}

/** Kinds of uploads that a store may keep in different ways. */
export const SHAPES: readonly { readonly name: string; readonly size: number; readonly declared: boolean }[] =
  [
    { name: 'a small body', size: 3000, declared: true },
    { name: 'a large body', size: 300_000, declared: true },
    { name: 'a body of unknown length', size: 90_000, declared: false },
  ]

const never: AbortSignal = new AbortController().signal

/** Recognisable bytes: every position differs from its neighbours, and every seed from the others. */
export function bytesOf(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let index = 0; index < size; index += 1)
    bytes[index] = (index * 31 + (index >> 8) * 7 + seed * 101) & 255
  return bytes
}

/** Plays the part of core for one store: keeps records, hands out rights, applies commits. */
export class Scene {
  readonly #fixture: StoreFixture
  #store: Store
  #uploads = 0
  #processes = 1

  constructor(fixture: StoreFixture) {
    this.#fixture = fixture
    this.#store = fixture.store
  }

  get store(): Store {
    return this.#store
  }

  get writer(): string {
    return `process-${this.#processes}`
  }

  /** Another process takes the place of this one, which left without a word. */
  async restart(): Promise<void> {
    this.#processes += 1
    if (this.#fixture.reopen !== undefined) this.#store = await this.#fixture.reopen()
  }

  async end(): Promise<void> {
    await this.#store.close()
    await this.#fixture.dispose()
  }

  /** A right of the running process: all others are dead. */
  right(epoch: number): WriteRight {
    return { epoch, writer: this.writer, mayExtend: () => true }
  }

  upload(length: number | undefined, metadata: Record<string, string> = {}): Upload {
    this.#uploads += 1
    const id = parseUploadId(`Contract_upload-${String(this.#uploads).padStart(8, '0')}`)
    assert.ok(id !== undefined)
    return new Upload(this, {
      id,
      dialect: 'tus1',
      status: 'receiving',
      offset: 0,
      length,
      metadata,
      echo: {},
      concat: undefined,
      ...NO_APPLICATION,
      placement: this.#store.place({ id, length }),
      durability: 'process',
      epoch: 1,
      chore: undefined,
      createdAtMs: Date.UTC(2026, 0, 2),
      lastWriteAtMs: Date.UTC(2026, 0, 2),
      expiresAtMs: undefined,
      finishedAtMs: undefined,
    })
  }

  /** A complete upload with these bytes. */
  async complete(bytes: Uint8Array, declared = true, metadata: Record<string, string> = {}): Promise<Upload> {
    const upload = this.upload(declared ? bytes.byteLength : undefined, metadata)
    if (bytes.byteLength > 0) await upload.append([bytes])
    upload.change({ length: bytes.byteLength, status: 'complete' })
    return upload
  }
}

/** One upload and the record that a catalog would keep of it. */
export class Upload {
  readonly #scene: Scene
  #record: UploadRecord

  constructor(scene: Scene, record: UploadRecord) {
    this.#scene = scene
    this.#record = record
  }

  get record(): UploadRecord {
    return this.#record
  }

  /** Changes the record as a catalog does: through a copy, and `where` through JSON. */
  change(change: Partial<UploadRecord>): void {
    const next = { ...this.#record, ...change }
    this.#record = { ...next, placement: throughJson(next.placement) }
  }

  apply(commit: Commit): void {
    this.change({ offset: commit.offset, placement: commit.placement })
  }

  open(right: WriteRight = this.#scene.right(this.#record.epoch)): Promise<Appender> {
    return this.#scene.store.open(this.#record, right)
  }

  /** Opens, writes, commits, records, closes. */
  async append(chunks: readonly Uint8Array[]): Promise<void> {
    const appender = await this.open()
    await appender.write(chunks)
    this.apply(await appender.commit())
    await appender.close()
  }

  read(
    range: ByteRange = { start: 0, end: this.#record.offset },
    signal: AbortSignal = never,
  ): Promise<Uint8Array> {
    return collect(this.#scene.store.read(this.#record, range, signal))
  }

  /** The record's offset and every byte below it are exactly these. */
  async holds(expected: Uint8Array): Promise<void> {
    assert.equal(this.#record.offset, expected.byteLength, 'the recorded offset')
    sameBytes(await this.read(), expected)
  }
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return join(...chunks)
}

export function join(...chunks: readonly Uint8Array[]): Uint8Array {
  let size = 0
  for (const chunk of chunks) size += chunk.byteLength
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}

/** Says where two byte strings part instead of printing them. */
export function sameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.byteLength, expected.byteLength, 'the number of bytes')
  for (let index = 0; index < expected.byteLength; index += 1) {
    if (actual[index] !== expected[index]) assert.fail(`byte ${index} differs`)
  }
}

export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(isUploadError(error), `an UploadError, not ${String(error)}`)
    assert.equal(error.code, code)
    return true
  })
}

function throughJson(placement: Placement): Placement {
  const where: Placement['where'] = JSON.parse(JSON.stringify(placement.where))
  return placement.inline === undefined ? { where } : { where, inline: new Uint8Array(placement.inline) }
}
