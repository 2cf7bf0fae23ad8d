import type { AsyncCommand } from 'fast-check'
import { isUploadError } from '../../src/core/errors.ts'
import { collected, same } from '../support/bytes.ts'
import type { Known, Model } from './model.ts'
import type { System } from './system.ts'

/** The system of the run; made once it begins. */
export interface Real {
  readonly system: System
  /** Codes of everything that was answered, to see that the commands reach what they should. */
  readonly codes: string[]
}

export abstract class Step implements AsyncCommand<Model, Real> {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }

  check(_model: Readonly<Model>): boolean {
    return true
  }

  async run(model: Model, real: Real): Promise<void> {
    await this.act(model, real)
    for (const upload of model.uploads) await verify(upload, real.system)
  }

  protected abstract act(model: Model, real: Real): Promise<void>
}

/** The invariants: what an answer has told is there, it is what was sent, and states move one way. */
async function verify(upload: Known, system: System): Promise<void> {
  const { engine } = system
  const record = await system.settled(engine.look(upload.id)).catch((error: unknown) => {
    if (isUploadError(error) && ['ERR_UPLOAD_GONE', 'ERR_UPLOAD_NOT_FOUND'].includes(error.code))
      return undefined
    throw error
  })
  const expiry = upload.expiry(system.nowMs())
  if (record === undefined) {
    if (!upload.isGone && expiry === 'no' && !upload.mayHaveFailed) throw new Error('an upload is lost')
    upload.isGone = true
    return
  }
  if (upload.isGone) throw new Error('an upload came back')
  if (expiry === 'yes') throw new Error('an upload outlived its time')
  upload.observe(record)
  const range = { start: 0, end: record.offset }
  const stored = await collected(engine.read(record, range, new AbortController().signal))
  if (!same(stored, upload.content.subarray(0, record.offset)))
    throw new Error('the content is not what was sent')
}

/** A request has stopped the one that hung: that one must come to its end. */
export async function unhang(upload: Known, { system, codes }: Real): Promise<void> {
  const { hanging } = upload
  if (hanging === undefined) return
  const code = await system.settled(hanging.code)
  codes.push(code)
  const ends = ['ERR_UPLOAD_STOPPED', 'ERR_SERVER_SHUTDOWN', 'ERR_UPLOAD_INTERRUPTED', 'none']
  if (!ends.includes(code)) throw new Error(`a stopped request ended with ${code}`)
  upload.hanging = undefined
  if (code !== 'none') upload.touch(system.nowMs(), true)
}

export function pick<T>(all: readonly T[], index: number): T | undefined {
  return all[index % Math.max(1, all.length)]
}

export abstract class UploadStep extends Step {
  readonly #index: number

  constructor(text: string, index: number) {
    super(`${text} of ${index}`)
    this.#index = index
  }

  override check({ uploads }: Readonly<Model>): boolean {
    return uploads.length > 0
  }

  protected async act(model: Model, real: Real): Promise<void> {
    const upload = pick(model.uploads, this.#index)
    if (upload !== undefined) await this.actOn(upload, real)
  }

  protected abstract actOn(upload: Known, real: Real): Promise<void>
}
