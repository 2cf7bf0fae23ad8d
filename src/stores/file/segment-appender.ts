import type { Appender, Commit } from '../../core/ports/store.ts'
import { storeError } from './disk-errors.ts'
import { segmentsPlacement } from './placement.ts'
import type { Segment } from './placement.ts'
import { dataSyncGate } from './sync-gate.ts'
import type { Workshop } from './workshop.ts'
import { sizeOf, writeAll } from './write-all.ts'

/** The file that is being extended: the upload's last segment. */
export interface Tail {
  readonly file: string
  readonly fd: number
  /** Made by this appender: its name is not durable before the directory is synced. */
  readonly fresh: boolean
}

export interface AppendPlan {
  /** What the record says now. */
  readonly opened: Commit
  /** Segments before the tail. */
  readonly earlier: readonly Segment[]
  /** Where the tail begins in the upload. */
  readonly start: number
  /** Bytes of the tail that are recorded: in its file already, or inline and to be written first. */
  readonly base: number
  readonly inline: Uint8Array | undefined
  readonly tail: Tail | undefined
  readonly create: () => Promise<Tail>
  readonly writer: string
  readonly epoch: number
}

/** Extends one file by one `writev` per call. Positions are explicit, so nothing depends on the file's length. */
export class SegmentAppender implements Appender {
  readonly #shop: Workshop
  readonly #plan: AppendPlan
  #tail: Tail | undefined
  #inline: Uint8Array | undefined
  /** Ends within the tail: written, synced, and promised by a commit. */
  #written: number
  #synced: number
  #committed: number
  #named: boolean
  #failure: unknown
  #writing: Promise<void> = Promise.resolve()
  #syncing: Promise<unknown> = Promise.resolve()

  constructor(shop: Workshop, plan: AppendPlan) {
    this.#shop = shop
    this.#plan = plan
    this.#tail = plan.tail
    this.#inline = plan.inline
    this.#written = plan.base
    this.#synced = plan.tail === undefined ? 0 : plan.base
    this.#committed = plan.base
    this.#named = plan.tail !== undefined
  }

  write(chunks: readonly Uint8Array[]): void | Promise<void> {
    const size = sizeOf(chunks)
    if (size === 0) return
    const writing = this.#append(chunks, size)
    // For those that must wait until the descriptor is idle; the caller hears of a failure itself.
    this.#writing = writing.catch(() => undefined)
    return writing
  }

  commit(): Promise<Commit> {
    // Taken now: a write that is still under way is not part of this commit.
    const end = this.#written
    // One sync after the other: of two at once on a descriptor only one hears of an error.
    const committing = this.#syncing.then(() => this.#commitTo(end))
    this.#syncing = committing.catch(() => undefined)
    return committing
  }

  async rollback(): Promise<void> {
    await this.#idle()
    const { base } = this.#plan
    if (this.#tail === undefined || this.#written === base) return
    try {
      await this.#shop.disk.ftruncate(this.#tail.fd, base)
    } catch (error) {
      throw (this.#failure = storeError(error))
    }
    this.#written = base
    this.#synced = Math.min(this.#synced, base)
    this.#committed = base
  }

  async close(): Promise<void> {
    // A descriptor is never closed under a running call: its number could be another file by then.
    await this.#idle()
    const tail = this.#tail
    if (tail === undefined) return
    this.#tail = undefined
    try {
      await this.#giveBack(tail)
    } finally {
      this.#shop.busy.delete(tail.file)
    }
  }

  async #append(chunks: readonly Uint8Array[], size: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const inline = this.#inline
    try {
      this.#tail ??= await this.#plan.create()
      const position = inline === undefined ? this.#written : 0
      const all = inline === undefined ? chunks : [inline, ...chunks]
      await writeAll(this.#shop.disk, this.#tail.fd, all, position)
    } catch (error) {
      throw (this.#failure = storeError(error))
    }
    this.#inline = undefined
    this.#written += size
  }

  async #commitTo(end: number): Promise<Commit> {
    const tail = this.#tail
    if (tail === undefined || end === this.#plan.base) return this.#plan.opened
    if (this.#shop.durable) await this.#sync(tail, end)
    this.#committed = Math.max(this.#committed, end)
    const { earlier, start, writer, epoch } = this.#plan
    const last: Segment = { file: tail.file, start, length: end, writer, epoch }
    return { offset: start + end, placement: segmentsPlacement([...earlier, last]) }
  }

  async #sync(tail: Tail, end: number): Promise<void> {
    if (this.#shop.poisoned.has(tail.file)) throw this.#failure
    try {
      const naming = this.#named ? undefined : this.#shop.directory.sync()
      const data = this.#synced < end ? dataSyncGate.run(() => this.#shop.disk.fdatasync(tail.fd)) : undefined
      await Promise.all([naming, data])
    } catch (error) {
      this.#shop.poisoned.add(tail.file)
      throw (this.#failure = storeError(error))
    }
    this.#named = true
    this.#synced = Math.max(this.#synced, end)
  }

  async #idle(): Promise<void> {
    await this.#writing
    await this.#syncing
  }

  async #giveBack(tail: Tail): Promise<void> {
    const { disk, directory, handles, poisoned } = this.#shop
    const unused = tail.fresh && this.#committed === this.#plan.base
    if (this.#failure === undefined && !unused) {
      await handles.put(tail.file, { fd: tail.fd, committed: this.#committed, size: this.#written })
      return
    }
    // After a full disk the bytes that nobody will ever count are given back at once.
    if (!unused && !poisoned.has(tail.file)) {
      await disk.ftruncate(tail.fd, this.#committed).catch(() => undefined)
    }
    await disk.close(tail.fd).catch(() => undefined)
    if (unused) await disk.unlink(directory.join(tail.file)).catch(() => undefined)
  }
}
