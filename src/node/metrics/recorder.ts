import type { UploadEventType } from '../../core/ports/hooks.ts'
import type { UploadRecord } from '../../core/upload.ts'
import type { Reply } from '../../server/exchange.ts'
import type { SweepReport } from '../reaper.ts'

/** Who counts what happens. Every method is called often: none may throw, wait or keep anything. */
export interface Recorder {
  requestBegan(): void
  /** @param outcome - `undefined`: nobody was there to answer. `'not-ours'`: somebody else answers. */
  requestEnded(method: string, outcome: Reply | undefined | 'not-ours', durationSeconds: number): void
  /** A request was let in and its content is being read. */
  contentBegan(): void
  contentEnded(): void
  bytesReceived(bytes: number): void
  /** An upload goes on behind its first byte after it was broken off. */
  resumed(): void
  /** Bytes that had been received were not there when the upload went on. */
  bytesLost(bytes: number): void
  happened(type: UploadEventType, upload: UploadRecord): void
  /** A sweep of the janitor has found this. */
  swept(found: SweepReport): void
}

/** One recorder that tells several. */
export function together(recorders: readonly Recorder[]): Recorder {
  const [only] = recorders
  if (only !== undefined && recorders.length === 1) return only
  const each = (tell: (recorder: Recorder) => void): void => recorders.forEach(tell)
  return {
    requestBegan: () => each((one) => one.requestBegan()),
    requestEnded: (method, outcome, seconds) => each((one) => one.requestEnded(method, outcome, seconds)),
    contentBegan: () => each((one) => one.contentBegan()),
    contentEnded: () => each((one) => one.contentEnded()),
    bytesReceived: (bytes) => each((one) => one.bytesReceived(bytes)),
    resumed: () => each((one) => one.resumed()),
    bytesLost: (bytes) => each((one) => one.bytesLost(bytes)),
    happened: (type, upload) => each((one) => one.happened(type, upload)),
    swept: (found) => each((one) => one.swept(found)),
  }
}
