import type { Clock } from '../../core/ports/clock.ts'
import { SpeedMeter } from './speed.ts'

/** One file on its way, as displays show it. */
export interface FileProgress {
  readonly name: string
  readonly startedMs: number
  /** What the server had before this run. */
  resumedBytes: number
  /** Handed to the network, what the server had before included. */
  sentBytes: number
  /** Confirmed by the server. */
  acceptedBytes: number
  /** `undefined` for a stream without end in sight. */
  totalBytes: number | undefined
  bytesPerSecond: number | undefined
  secondsLeft: number | undefined
  /** What it waits for, in words; `undefined` while it moves. */
  waiting: string | undefined
}

/** All files together. */
export interface TotalProgress {
  readonly files: number
  readonly finished: number
  readonly sentBytes: number
  readonly totalBytes: number | undefined
  readonly bytesPerSecond: number | undefined
  readonly secondsLeft: number | undefined
}

/** What a progress event of an upload says. */
export interface Moved {
  readonly sent: number
  readonly accepted: number
  readonly total?: number | undefined
  readonly bytesPerSecond?: number | undefined
  readonly secondsLeft?: number | undefined
}

/** Where the whole run stands: written by the jobs, read by the display. */
export class Board {
  readonly clock: Clock
  readonly startedMs: number
  readonly #meter: SpeedMeter
  readonly #active = new Set<FileProgress>()
  #files: number
  #totalBytes: number | undefined
  #finished = 0
  #finishedBytes = 0

  /** @param sizes - Of every file; `undefined` for a stream. */
  constructor(clock: Clock, sizes: readonly (number | undefined)[]) {
    this.clock = clock
    this.startedMs = clock.nowMs()
    this.#meter = new SpeedMeter(clock)
    this.#files = sizes.length
    this.#totalBytes = sizes.reduce<number | undefined>(
      (sum, size) => (sum === undefined || size === undefined ? undefined : sum + size),
      0,
    )
  }

  get active(): ReadonlySet<FileProgress> {
    return this.#active
  }

  begin(name: string, totalBytes: number | undefined): FileProgress {
    const file: FileProgress = {
      name,
      startedMs: this.clock.nowMs(),
      resumedBytes: 0,
      sentBytes: 0,
      acceptedBytes: 0,
      totalBytes,
      bytesPerSecond: undefined,
      secondsLeft: undefined,
      waiting: undefined,
    }
    this.#active.add(file)
    return file
  }

  moved(file: FileProgress, moved: Moved): void {
    // What the server had already is no speed.
    const known = Math.max(file.sentBytes, file.resumedBytes)
    this.#meter.add(Math.max(0, moved.sent - known))
    if (moved.sent > file.sentBytes) file.waiting = undefined
    file.sentBytes = moved.sent
    file.acceptedBytes = moved.accepted
    file.totalBytes = moved.total ?? file.totalBytes
    file.bytesPerSecond = moved.bytesPerSecond
    file.secondsLeft = moved.secondsLeft
  }

  end(file: FileProgress): void {
    if (!this.#active.delete(file)) return
    this.#finished += 1
    // What failed is not to come any more: the total must be reached all the same.
    this.#finishedBytes += file.totalBytes ?? file.sentBytes
  }

  get total(): TotalProgress {
    let sentBytes = this.#finishedBytes
    for (const file of this.#active) sentBytes += file.sentBytes
    const { bytesPerSecond } = this.#meter
    const leftBytes = this.#totalBytes === undefined ? undefined : Math.max(0, this.#totalBytes - sentBytes)
    const secondsLeft =
      leftBytes === undefined || bytesPerSecond === undefined || bytesPerSecond === 0
        ? undefined
        : leftBytes / bytesPerSecond
    return {
      files: this.#files,
      finished: this.#finished,
      sentBytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond,
      secondsLeft,
    }
  }
}
