import type { UploadId } from '../../core/upload-id.ts'
import type { Recorder } from './recorder.ts'

/** Uploads that are remembered at most; each costs about 150 bytes. */
const MAX_REMEMBERED = 10_000

/** Content that a request brings to an upload. */
export interface Arrival {
  readonly id: UploadId
  /** Offset of its first byte. */
  readonly from: number
}

/** Follows uploads that were broken off, to see them go on. */
export class Interruptions {
  readonly #recorder: Pick<Recorder, 'resumed' | 'bytesLost'>
  readonly #arriving = new Map<UploadId, Arrival>()
  /** With how far each was received; `undefined`: not known. Oldest first. */
  readonly #interrupted = new Map<UploadId, number | undefined>()

  constructor(recorder: Pick<Recorder, 'resumed' | 'bytesLost'>) {
    this.#recorder = recorder
  }

  /** A request was let in at this offset. */
  begin(arrival: Arrival): void {
    const { id, from } = arrival
    // One that still arrives was stopped by this one: there is one writer.
    const isResumed = this.#interrupted.has(id) || this.#arriving.has(id)
    this.#compare(id, from)
    this.#interrupted.delete(id)
    this.#arriving.set(id, arrival)
    if (isResumed && from > 0) this.#recorder.resumed()
  }

  /** @param isCut - It ended before its time, and not because it was refused. */
  end(arrival: Arrival, receivedBytes: number, isCut: boolean): void {
    const { id, from } = arrival
    // Its successor knows better by now how far it came.
    if (this.#arriving.get(id) !== arrival) return
    this.#arriving.delete(id)
    if (isCut) this.#remember(id, from + receivedBytes)
  }

  /** A client has asked where to go on, and was told. */
  retrieved(id: UploadId, offset: number): void {
    this.#compare(id, offset)
    this.#remember(id, undefined)
  }

  /** Nothing more comes of it. */
  forget(id: UploadId): void {
    this.#interrupted.delete(id)
  }

  #compare(id: UploadId, offset: number): void {
    const reached = this.#interrupted.get(id)
    if (reached !== undefined && reached > offset) this.#recorder.bytesLost(reached - offset)
  }

  #remember(id: UploadId, reached: number | undefined): void {
    this.#interrupted.delete(id)
    this.#interrupted.set(id, reached)
    if (this.#interrupted.size <= MAX_REMEMBERED) return
    const [oldest] = this.#interrupted.keys()
    if (oldest !== undefined) this.#interrupted.delete(oldest)
  }
}
