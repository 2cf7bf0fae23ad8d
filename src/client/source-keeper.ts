import { SourceChanged } from './errors.ts'
import type { UploadOptions } from './options.ts'
import type { Platform } from './ports/platform.ts'
import type { Source } from './ports/source.ts'
import { REPLAY_BYTES } from './terms.ts'

/** Opens the source when a run needs it. Between runs nothing stays open that can be opened again. */
export class SourceKeeper {
  readonly #open: () => Promise<Source>
  #source: Source | undefined
  #isOpen = false

  constructor(platform: Pick<Platform, 'openSource'>, input: unknown, options: UploadOptions) {
    const { startBytes, endBytes, sizeBytes, replayBufferBytes = REPLAY_BYTES } = options
    this.#open = () => platform.openSource(input, { startBytes, endBytes, sizeBytes, replayBufferBytes })
  }

  get sizeBytes(): number | undefined {
    return this.#source?.sizeBytes
  }

  get path(): string | undefined {
    return this.#source?.traits.path
  }

  get canRestart(): boolean {
    return this.#source?.isRewindable === true
  }

  /** @throws {SourceChanged} when it is not what it was in the run before. */
  async open(): Promise<Source> {
    const before = this.#source
    if (before !== undefined && this.#isOpen) {
      await before.verify()
      return before
    }
    const source = await this.#open()
    this.#source ??= source
    this.#isOpen = true
    const { sizeBytes, traits } = before ?? source
    if (sizeBytes === source.sizeBytes && traits.modifiedMs === source.traits.modifiedMs) {
      return (this.#source = source)
    }
    await source.close()
    this.#isOpen = false
    throw new SourceChanged('the source has changed since the upload began')
  }

  /** @param isFinal - Whether no run can follow; a stream is kept open otherwise. */
  async close(isFinal: boolean): Promise<void> {
    if (!this.#isOpen || !(isFinal || this.canRestart)) return
    this.#isOpen = false
    await this.#source?.close()
  }
}
