import { createHash } from 'node:crypto'
import type { UploadRecord } from '../../src/core/upload.ts'
import { PushBody, sent } from '../support/push-body.ts'
import { appending, codeOf } from '../support/rig.ts'
import type { Known } from './model.ts'
import type { Real } from './step.ts'
import { unhang, UploadStep } from './step.ts'

type Manner = 'announced' | 'chunked' | 'cut' | 'checked' | 'wrongly checked' | 'too long' | 'misplaced'

export interface AppendWish {
  readonly index: number
  readonly manner: Manner
  readonly share: number
}

export class Append extends UploadStep {
  readonly #wish: AppendWish

  constructor(wish: AppendWish) {
    super(`append ${wish.manner} ${wish.share}`, wish.index)
    this.#wish = wish
  }

  protected async actOn(upload: Known, real: Real): Promise<void> {
    const { manner, share } = this.#wish
    const { system, codes } = real
    const offset = upload.acknowledged
    const missing = upload.content.length - offset
    const part = upload.content.subarray(offset, offset + Math.ceil(missing * share))
    const tail = manner === 'too long' ? new Uint8Array([...upload.content.subarray(offset), 1, 2, 3]) : part
    const isAll = offset + part.length === upload.content.length
    const cutAfter = Math.floor(part.length / 2)
    const body = sent(tail, {
      chunked: manner !== 'announced',
      ...(manner === 'cut' ? { cutAfter } : {}),
    })
    const wasOpen = !upload.isComplete && !upload.isGone && !upload.isFinal
    const before = upload.sent
    const code = await codeOf(
      system.settled(
        system.engine.append(
          upload.id,
          appending(manner === 'misplaced' ? wrongOffset(upload) : offset, body, {
            length: isAll || manner === 'too long' ? upload.content.length : undefined,
            checksum: checksumFor(manner, part),
          }),
        ),
      ),
    )
    codes.push(code)
    await unhang(upload, real)
    if (code === 'none') upload.acknowledged = offset + part.length
    upload.sent = Math.max(before, offset + stored(code, manner, tail.length, cutAfter, missing))
    if (wasOpen && ['none', 'ERR_UPLOAD_INTERRUPTED', 'ERR_UPLOAD_SIZE_EXCEEDED'].includes(code)) {
      upload.touch(system.nowMs(), code === 'none' || manner === 'cut')
    }
    this.#expect(code, upload, wasOpen)
  }

  #expect(code: string, upload: Known, wasOpen: boolean): void {
    const { manner } = this.#wish
    const hadGone = upload.isGone || ['ERR_UPLOAD_GONE', 'ERR_UPLOAD_NOT_FOUND'].includes(code)
    // Bytes of a request that was stopped for this one may have moved the offset on.
    if (hadGone || code === 'ERR_MISMATCHED_OFFSET' || code === 'ERR_MODIFY_FINAL') return
    if (manner === 'misplaced') throw new Error(`a misplaced append ended with ${code}`)
    if (!wasOpen) return
    if (manner === 'wrongly checked' && code === 'none') throw new Error('a wrong checksum was accepted')
    const isFine = manner === 'announced' || manner === 'chunked' || manner === 'checked'
    if (isFine && code !== 'none') throw new Error(`an append in order ended with ${code}`)
  }
}

/** One that no request under way can make right. */
function wrongOffset({ acknowledged, content }: Known): number {
  return acknowledged > 0 ? acknowledged - 1 : content.length + 1
}

function checksumFor(
  manner: Manner,
  part: Uint8Array,
): { algorithm: 'sha256'; digest: Uint8Array } | undefined {
  if (manner !== 'checked' && manner !== 'wrongly checked') return undefined
  const digest = createHash('sha256').update(part).digest()
  if (manner === 'wrongly checked') digest[0] = (digest[0] ?? 0) ^ 1
  return { algorithm: 'sha256', digest: new Uint8Array(digest) }
}

/** Bytes of a request that the server may have stored. */
function stored(code: string, manner: Manner, size: number, cutAfter: number, missing: number): number {
  if (code === 'none') return size
  if (code === 'ERR_UPLOAD_INTERRUPTED' && manner === 'cut') return cutAfter
  return code === 'ERR_UPLOAD_SIZE_EXCEEDED' && manner === 'too long' ? missing : 0
}

/** An append that begins, brings some bytes and then says nothing more. */
export class Hang extends UploadStep {
  readonly #share: number

  constructor(index: number, share: number) {
    super(`hang after ${share}`, index)
    this.#share = share
  }

  protected async actOn(upload: Known, real: Real): Promise<void> {
    const { system } = real
    if (upload.hanging !== undefined || upload.isComplete || upload.isGone || upload.isFinal) return
    const { acknowledged: offset, content } = upload
    const body = new PushBody()
    const code = codeOf(system.engine.append(upload.id, appending(offset, body)))
    const state = { isOver: false }
    void code.then(() => (state.isOver = true))
    for (let turn = 0; turn < 1000 && !body.consumed && !state.isOver; turn += 1) await system.rest()
    if (state.isOver) return
    const end = offset + Math.floor((content.length - offset) * this.#share)
    upload.hanging = { body, code, at: end }
    upload.sent = Math.max(upload.sent, end)
    upload.touch(system.nowMs(), false)
    for (let at = offset; at < end; at += 30_000) {
      if (!body.paused) body.push(content.subarray(at, Math.min(end, at + 30_000)))
      else at -= 30_000
      if (body.paused) await system.rest()
    }
    await system.rest()
  }
}

/** The silent append goes on to its end, or breaks off. */
export class Resolve extends UploadStep {
  readonly #how: 'end' | 'cut'

  constructor(index: number, how: 'end' | 'cut') {
    super(`silent append: ${how}`, index)
    this.#how = how
  }

  protected async actOn(upload: Known, real: Real): Promise<void> {
    const { hanging } = upload
    if (hanging === undefined) return
    if (this.#how === 'end') hanging.body.end()
    else hanging.body.cut()
    const code = await real.system.settled(hanging.code)
    real.codes.push(code)
    upload.touch(real.system.nowMs(), true)
    if (code === 'none' || code === 'ERR_UPLOAD_INTERRUPTED') upload.acknowledged = hanging.at
    else throw new Error(`it ended with ${code}`)
    upload.hanging = undefined
  }
}

/** Two clients that both believe they have to go on here. */
export class Race extends UploadStep {
  readonly #shares: readonly [number, number]

  constructor(index: number, shares: readonly [number, number]) {
    super(`race ${shares.join(' and ')}`, index)
    this.#shares = shares
  }

  protected async actOn(upload: Known, real: Real): Promise<void> {
    if (upload.isComplete || upload.isGone || upload.isFinal || upload.hanging !== undefined) return
    const { acknowledged: offset, content } = upload
    const missing = content.length - offset
    if (missing < 2) return
    const sizes = this.#shares.map((share) => Math.max(1, Math.floor(missing * share)))
    upload.sent = Math.max(upload.sent, offset + Math.max(...sizes))
    const codes = await real.system.settled(
      Promise.all(
        sizes.map((size) =>
          codeOf(
            real.system.engine.append(
              upload.id,
              appending(offset, sent(content.subarray(offset, offset + size), { chunkBytes: 1000 })),
            ),
          ),
        ),
      ),
    )
    real.codes.push(...codes)
    upload.touch(real.system.nowMs(), true)
    const won = codes.filter((code) => code === 'none')
    if (won.length > 1) throw new Error('both have won')
    const index = codes.indexOf('none')
    if (index >= 0) upload.acknowledged = offset + (sizes[index] ?? 0)
  }
}

export class Retrieve extends UploadStep {
  constructor(index: number) {
    super('retrieve', index)
  }

  protected async actOn(upload: Known, real: Real): Promise<void> {
    const wasHanging = upload.hanging !== undefined
    const answer = real.system.settled(real.system.engine.retrieve(upload.id))
    real.codes.push(await codeOf(answer))
    const record: UploadRecord | undefined = await answer.catch(() => undefined)
    await unhang(upload, real)
    if (record === undefined) return
    if (wasHanging && record.offset !== upload.sent) throw new Error('what had arrived was not kept')
    upload.observe(record)
    if (upload.parts?.every((part) => part.isComplete) === true) await becomesWhole(upload, real)
  }
}

/** All parts are there. Somebody else may be putting them together right now, then the answer is: not yet. */
async function becomesWhole(upload: Known, { system }: Real): Promise<void> {
  for (let turn = 0; turn < 400; turn += 1) {
    const { status } = await system.settled(system.engine.retrieve(upload.id))
    if (status !== 'receiving') return
    await system.rest()
  }
  throw new Error('all parts are there, and the final is not')
}

export class Cancel extends UploadStep {
  constructor(index: number) {
    super('cancel', index)
  }

  protected async actOn(upload: Known, real: Real): Promise<void> {
    const code = await codeOf(real.system.settled(real.system.engine.cancel(upload.id)))
    real.codes.push(code)
    await unhang(upload, real)
    const isGone = ['none', 'ERR_UPLOAD_GONE', 'ERR_UPLOAD_NOT_FOUND'].includes(code)
    if (!isGone) throw new Error(`a cancellation ended with ${code}`)
    if (code === 'none' && upload.isGone) throw new Error('cancelled twice')
    upload.isGone = upload.isGone || code === 'none'
  }
}
