import type { Context } from '../context.ts'
import type { ErrorCode } from '../errors.ts'
import { hasCode, isUploadError, shutdownError, UploadError } from '../errors.ts'
import type { IntakeEnd } from '../intake.ts'
import { Intake } from '../intake.ts'
import type { Lease } from '../leases.ts'
import type { RecordChange } from '../ports/catalog.ts'
import type { Checksum } from '../ports/digest.ts'
import type { Appender, Commit } from '../ports/store.ts'
import type { UploadRecord } from '../upload.ts'
import type { StopReason } from '../writers.ts'
import type { AppendRequest } from './append.ts'
import { entomb } from './cancel.ts'
import { activity, record } from './change.ts'
import { sameBytes, verifiesChecksum } from './checksum.ts'
import { stopped } from './decide.ts'
import { finish } from './finish.ts'
import { ProgressWatch } from './progress.ts'
import type { Room } from './room.ts'
import { quotaChange } from './room.ts'

/** Passes the wish to stop on to the intake, also when it comes before there is one. */
export class Stopper {
  #intake: Intake | undefined
  #reason: StopReason | undefined

  readonly stop = (reason: StopReason): void => {
    this.#reason ??= reason
    this.#intake?.stop(reason)
  }

  get reason(): StopReason | undefined {
    return this.#reason
  }

  watch(intake: Intake): void {
    this.#intake = intake
  }
}

/** One body on its way into one upload. */
export class AppendSession {
  readonly #ctx: Context
  readonly #lease: Lease
  readonly #request: AppendRequest
  readonly #appender: Appender
  readonly #room: Room
  readonly #progress: ProgressWatch | undefined

  private constructor(ctx: Context, lease: Lease, request: AppendRequest, appender: Appender, room: Room) {
    this.#ctx = ctx
    this.#lease = lease
    this.#request = request
    this.#appender = appender
    this.#room = room
    this.#progress = ProgressWatch.make(ctx, lease, request.by ?? {})
  }

  static async open(ctx: Context, lease: Lease, request: AppendRequest, room: Room): Promise<AppendSession> {
    try {
      const appender = await ctx.store.open(lease.record, lease.right)
      return new AppendSession(ctx, lease, request, appender, room)
    } catch (error) {
      throw await deactivateIfCorrupt(ctx, lease, error)
    }
  }

  async run(stopper: Stopper): Promise<UploadRecord> {
    const { body, checksum, onAccepted } = this.#request
    const digest = checksum === undefined ? undefined : this.#ctx.digests.create(checksum.algorithm)
    const intake = new Intake({
      body,
      appender: this.#appender,
      budget: this.#ctx.budget,
      ticker: this.#ctx.ticker,
      clock: this.#ctx.clock,
      pace: this.#ctx.pace,
      roomBytes: this.#room.bytes,
      digest,
      checkpoint: () => this.#checkpoint(),
    })
    stopper.watch(intake)
    if (stopper.reason !== undefined) throw stopError(stopper.reason, this.#lease.record.offset)
    onAccepted?.()
    this.#progress?.start(intake)
    const end = await intake.run(this.#ctx.clock.nowMs())
    this.#progress?.end()
    const stopping = this.#progress?.stopping
    if (stopping !== undefined) {
      if (this.#lease.isRecorded) await entomb(this.#ctx, this.#lease, 'cancelled', this.#request.by)
      throw stopped(stopping)
    }
    if (end.kind === 'failed') {
      // A full disk has still taken some bytes: they are kept, unless the upload will not be.
      if (this.#request.isCreation !== true) await this.#checkpoint().catch(() => undefined)
      throw await deactivateIfCorrupt(this.#ctx, this.#lease, end.error)
    }
    if (this.#isChecked()) {
      const verdict = await this.#verify(end, digest === undefined ? undefined : await digest.result())
      if (verdict !== undefined) {
        await this.#appender.rollback()
        throw verdict
      }
    }
    if (end.kind === 'overflow' && this.#request.isCreation === true) throw new UploadError(this.#room.code)
    return this.#record(end)
  }

  async close(): Promise<void> {
    await this.#appender.close().catch((error: unknown) => this.#ctx.report(error, this.#lease.record.id))
  }

  #isChecked(): boolean {
    return this.#request.checksum !== undefined || this.#request.trailerChecksum !== undefined
  }

  /** Records what a long request has brought so far. Bytes under a checksum stay invisible until it is verified. */
  async #checkpoint(): Promise<void> {
    const commit = await this.#appender.commit()
    if (this.#isChecked() || this.#reachesLength(commit.offset)) return
    await this.#lease.update(this.#changeTo(commit))
    const { reservations } = this.#ctx
    const { id } = this.#lease.record
    reservations.progress(id, this.#stillToCome(commit.offset))
    // Without a length nothing was promised at the start: the disk is looked at on the way.
    if (this.#length === undefined) await reservations.check(id, this.#ctx.pace.checkpointBytes)
  }

  #stillToCome(offset: number): number {
    const { offset: start, body } = this.#request
    const end = body.contentLength === undefined ? (this.#length ?? 0) : start + body.contentLength
    return Math.max(0, end - offset)
  }

  get #length(): number | undefined {
    return this.#request.length ?? this.#lease.record.length
  }

  /** Only `finish` may record such an offset: after a crash nobody would complete the upload. */
  #reachesLength(offset: number): boolean {
    return this.#request.completes === 'at-length' && offset === this.#length
  }

  #changeTo(commit: Commit): RecordChange {
    const { record } = this.#lease
    return {
      ...commit,
      ...this.#declaredLength(),
      ...activity(this.#ctx, record),
      ...(record.length === undefined ? quotaChange(record, this.#request.length, commit.offset) : {}),
    }
  }

  /** The length counts from the first recorded byte on; a request that fails before does not set it. */
  #declaredLength(): RecordChange {
    return this.#request.length === undefined ? {} : { length: this.#request.length }
  }

  /** What is wrong with promised bytes; `undefined` when the checksum fits. */
  async #verify(end: IntakeEnd, digest: Uint8Array | undefined): Promise<UploadError | undefined> {
    const { offset } = this.#lease.record
    if (end.kind !== 'complete') return endError(end, offset, this.#room.code)
    const { checksum, trailerChecksum } = this.#request
    try {
      const late = trailerChecksum?.(end.trailers)
      if (late !== undefined && checksum !== undefined && !sameChecksum(late, checksum)) {
        return new UploadError('ERR_INVALID_CHECKSUM', {
          offset,
          reason: 'The checksums in header and trailer differ.',
        })
      }
      if (checksum !== undefined && digest !== undefined && !sameBytes(digest, checksum.digest)) {
        return new UploadError('ERR_CHECKSUM_MISMATCH', { offset })
      }
      // The algorithm of a trailer is known only now: the bytes are read back, from the page cache as a rule.
      if (late !== undefined && !(await verifiesChecksum(this.#ctx, late, this.#readBack()))) {
        return new UploadError('ERR_CHECKSUM_MISMATCH', { offset })
      }
      return undefined
    } catch (error) {
      if (isUploadError(error)) return error
      throw error
    }
  }

  async *#readBack(): AsyncIterable<Uint8Array> {
    const commit = await this.#appender.commit()
    const range = { start: this.#lease.record.offset, end: commit.offset }
    yield* this.#ctx.store.read({ ...this.#lease.record, ...commit }, range, new AbortController().signal)
  }

  async #record(end: IntakeEnd): Promise<UploadRecord> {
    const commit = await this.#appender.commit()
    const change = this.#changeTo(commit)
    // In tus the last byte ends the upload, even if the request then broke off or brought more: a client that HEAD
    // tells offset = length has nothing left to send.
    const done =
      this.#reachesLength(commit.offset) || (end.kind === 'complete' && this.#request.completes === 'at-end')
    const after = await (done
      ? finish(this.#ctx, this.#lease, change, this.#request.by)
      : this.#lease.update(change))
    const failure = endError(end, after.offset, this.#room.code)
    if (failure !== undefined) throw failure
    return after
  }
}

/** A complete upload takes no more bytes; a request without any is answered like the one that completed it. */
export async function receiveNothing(
  ctx: Context,
  record: UploadRecord,
  { body, onAccepted }: AppendRequest,
  stopper: Stopper,
): Promise<UploadRecord> {
  if (body.contentLength === 0) return record
  onAccepted?.()
  const { budget, ticker, clock, pace } = ctx
  // An intake although nothing is taken in: it gives up a body that does not come to its end.
  const intake = new Intake({
    body,
    appender: { write: () => undefined },
    budget,
    ticker,
    clock,
    pace,
    roomBytes: 0,
    digest: undefined,
    checkpoint: () => Promise.resolve(),
  })
  stopper.watch(intake)
  if (stopper.reason !== undefined) throw stopError(stopper.reason, record.offset)
  const failure = endError(await intake.run(clock.nowMs()), record.offset, 'ERR_UPLOAD_SIZE_EXCEEDED')
  if (failure !== undefined) throw failure
  return record
}

function endError(end: IntakeEnd, offset: number, overflow: ErrorCode): UploadError | undefined {
  switch (end.kind) {
    case 'complete':
      return undefined
    case 'cut':
      return new UploadError('ERR_UPLOAD_INTERRUPTED', { offset })
    case 'too-slow':
      return new UploadError('ERR_READ_TIMEOUT', { offset })
    case 'overflow':
      return new UploadError(overflow, { offset })
    case 'stopped':
      return stopError(end.reason, offset)
    case 'failed':
      throw end.error
  }
}

function stopError(reason: StopReason, offset: number): UploadError {
  return reason === 'shutdown' ? shutdownError({ offset }) : new UploadError('ERR_UPLOAD_STOPPED', { offset })
}

/** Lost bytes cannot be had back: the upload is over rather than continued from a smaller offset. */
async function deactivateIfCorrupt(ctx: Context, lease: Lease, error: unknown): Promise<unknown> {
  if (hasCode(error, 'ERR_CORRUPT_RECORD')) {
    ctx.report(error, lease.record.id)
    await record(ctx, lease, { status: 'failed', lastWriteAtMs: ctx.clock.nowMs() }, 'upload-failed')
  }
  return error
}

function sameChecksum(a: Checksum, b: Checksum): boolean {
  return a.algorithm === b.algorithm && sameBytes(a.digest, b.digest)
}
