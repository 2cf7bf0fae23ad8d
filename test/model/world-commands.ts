import { bytes } from '../support/bytes.ts'
import { sent } from '../support/push-body.ts'
import { codeOf, creation } from '../support/rig.ts'
import type { Model } from './model.ts'
import { Known } from './model.ts'
import type { Real } from './step.ts'
import { pick, Step, unhang } from './step.ts'

export interface CreateWish {
  readonly size: number
  readonly seed: number
  readonly isPartial: boolean
  readonly isDeferred: boolean
  /** How much of the content comes with it, from 0 to 1. */
  readonly share: number
}

export class Create extends Step {
  readonly #wish: CreateWish

  constructor(wish: CreateWish) {
    super(`create ${JSON.stringify(wish)}`)
    this.#wish = wish
  }

  protected async act({ uploads }: Model, { system, codes }: Real): Promise<void> {
    const { size, seed, isPartial, isDeferred, share } = this.#wish
    const content = bytes(size, seed)
    const first = content.subarray(0, Math.floor(size * share))
    const request = creation({
      length: isDeferred ? undefined : size,
      concat: isPartial ? { kind: 'partial' } : undefined,
      ...(share === 0 ? {} : { content: { body: sent(first, { chunked: seed % 2 === 0 }) } }),
    })
    const record = await system.settled(system.engine.create(request))
    codes.push('created')
    if (record.offset !== first.length) throw new Error('a creation acknowledged something else')
    uploads.push(new Known(record, content, system.nowMs()))
  }
}

export class Concatenate extends Step {
  readonly #indices: readonly number[]

  constructor(indices: readonly number[]) {
    super(`concatenate ${indices.join(', ')}`)
    this.#indices = indices
  }

  override check({ uploads }: Readonly<Model>): boolean {
    return uploads.some(({ isPartial }) => isPartial)
  }

  protected async act({ uploads }: Model, { system, codes }: Real): Promise<void> {
    const partials = uploads.filter(({ isPartial }) => isPartial)
    const parts = this.#indices.flatMap((index) => pick(partials, index) ?? [])
    const answer = system.settled(
      system.engine.concatenate({
        upload: { dialect: 'tus1', metadata: {}, echo: {} },
        parts: parts.map(({ id }) => id),
      }),
    )
    const code = await codeOf(answer)
    codes.push(code)
    const isLost = parts.some((part) => part.isGone)
    if (isLost !== (code === 'ERR_UPLOAD_NOT_FOUND')) throw new Error(`a concatenation ended with ${code}`)
    if (isLost) return
    const content = new Uint8Array(Buffer.concat(parts.map((part) => part.content)))
    const record = await answer
    const isReady = parts.every((part) => part.isComplete)
    if (isReady !== (record.status !== 'receiving'))
      throw new Error('a final that should be there, or should wait')
    uploads.push(new Known(record, content, system.nowMs(), parts))
  }
}

export class Crash extends Step {
  constructor() {
    super('crash')
  }

  protected async act({ uploads }: Model, { system, codes }: Real): Promise<void> {
    await system.crash()
    codes.push('crashed')
    for (const upload of uploads) upload.hanging = undefined
  }
}

export class Restart extends Step {
  constructor() {
    super('restart')
  }

  protected async act({ uploads }: Model, real: Real): Promise<void> {
    await real.system.restart()
    real.codes.push('restarted')
    for (const upload of uploads) await unhang(upload, real)
  }
}

/** Time goes by, and perhaps the reaper comes. */
export class Wait extends Step {
  readonly #minutes: number
  readonly #sweeps: boolean

  constructor(minutes: number, sweeps: boolean) {
    super(`wait ${minutes} minutes${sweeps ? ' for the reaper' : ''}`)
    this.#minutes = minutes
    this.#sweeps = sweeps
  }

  override check({ uploads }: Readonly<Model>): boolean {
    return uploads.every(({ hanging }) => hanging === undefined)
  }

  protected async act(_model: Model, { system, codes }: Real): Promise<void> {
    await system.shift(this.#minutes * 60_000)
    if (this.#sweeps) await system.settled(system.engine.sweep())
    codes.push('waited')
  }
}
