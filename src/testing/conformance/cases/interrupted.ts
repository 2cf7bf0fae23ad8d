import { tusSection, type Chapter } from '../case.ts'
import type { Context, Upload } from '../context.ts'
import { expectStatus, expectThat, offsetIn, Unmet, type Answer } from '../expect.ts'
import type { OpenRequest } from '../exchange.ts'
import { stalledPatch } from '../stall.ts'
import { WireError } from '../wire-response.ts'

const totalBytes = 262_144
const sentBytes = 100_000

/** Bytes whose every position is recognisable. */
function pattern(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) % 251))
}

/** Continues at the offset the server names until the upload is complete. */
async function carryOn(ctx: Context, upload: Upload, content: Buffer): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const offset = await ctx.settled(upload)
    if (offset === content.length) return
    const answer = await ctx.patch(upload, offset, content.subarray(offset))
    // The server may still hold the upload for the request that broke off.
    if (answer.status === 409 || answer.status === 423) await ctx.pause(100)
    else expectStatus(answer, 204)
  }
  throw new Unmet('the upload could not be continued after the cut')
}

async function cutAndCarryOn(ctx: Context, how: 'FIN' | 'RST'): Promise<number> {
  const content = pattern(totalBytes)
  const upload = await ctx.create({ length: totalBytes })
  const request = await stalledPatch(ctx, upload, content.subarray(0, sentBytes), totalBytes)
  if (how === 'FIN') {
    request.finish()
    // The server has read all there is once it closes its side; before that a HEAD might be too early.
    await request.closes(2000)
    request.close()
  } else {
    request.reset()
  }
  const kept = await ctx.settled(upload)
  if (kept > sentBytes) throw new Unmet(`the server counts ${kept} bytes of ${sentBytes} that were sent`)
  await carryOn(ctx, upload, content)
  await ctx.expectContent(upload, content)
  return kept
}

async function outcome(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof WireError && error.trouble !== 'timeout') return undefined
    throw error
  }
}

const half = 65_536
const writers: readonly Buffer[] = [Buffer.alloc(half, 'a'), Buffer.alloc(half, 'b')]

/** Both requests are under way before either sends a byte; then they send piece by piece, in turn. */
async function takingTurns(ctx: Context, upload: Upload): Promise<(Answer | undefined)[]> {
  const running: OpenRequest[] = []
  for (const _ of writers) running.push(await stalledPatch(ctx, upload, '', half))
  const answers = running.map(async ({ answer }) => await outcome(answer))
  for (let at = 0; at < half; at += half / 4) {
    for (const [index, request] of running.entries()) {
      request.write((writers[index] ?? Buffer.alloc(0)).subarray(at, at + half / 4))
      // Two writes in one packet would arrive as one piece.
      await ctx.pause(5)
    }
  }
  const settled = await Promise.all(answers)
  for (const request of running) request.close()
  return settled
}

/** Two writers wrote `a`s and `b`s at offset 0 of one upload: only one of them may have succeeded. */
async function expectOneWriter(
  ctx: Context,
  write: (upload: Upload) => Promise<(Answer | undefined)[]>,
): Promise<void> {
  const upload = await ctx.create({ length: half * 2 })
  const answers = (await write(upload)).filter((answer) => answer !== undefined)
  const winners = answers.filter(({ status }) => status === 204)
  expectThat(winners.length <= 1, 'expected at most one 204 for the same offset', winners[0])
  for (const answer of answers) expectStatus(answer, 204, 409, 423)
  const offset = await ctx.settled(upload)
  const [winner] = winners
  if (winner !== undefined)
    expectThat(offsetIn(winner) <= offset, 'expected the offset of the 204 to stay', winner)
  expectThat(offset <= half, `expected at most ${half} bytes of one writer, HEAD says ${offset}`)
  expectStatus(await ctx.patch(upload, offset, Buffer.alloc(half * 2 - offset, 'c')), 204)
  if (!ctx.capabilities.download) return
  const answer = await ctx.get(upload)
  const mixed = !/^(?:a*|b*)c+$/.test(answer.body.toString('latin1'))
  expectThat(!mixed, 'expected the bytes of one writer, got a mixture', answer)
}

/** tus 1.0 §PATCH: connections that break off or stand still, and two writers at once. */
export const interrupted: Chapter = {
  title: 'PATCH, interrupted',
  section: tusSection('patch'),
  cases: [
    {
      id: 'T-P11',
      title:
        'the connection ends in the middle of the body (FIN): what was received is kept, and is continued',
      level: 'SHOULD',
      async run(ctx) {
        const kept = await cutAndCarryOn(ctx, 'FIN')
        if (kept < sentBytes) {
          throw new Unmet(`${sentBytes} bytes had arrived before the FIN, only ${kept} were kept`)
        }
      },
    },
    {
      id: 'T-P11m',
      title: 'after a cut (FIN, RST) the offset counts only bytes that were sent, and the content is exact',
      level: 'MUST',
      async run(ctx) {
        await cutAndCarryOn(ctx, 'FIN')
        await cutAndCarryOn(ctx, 'RST')
      },
    },
    {
      id: 'T-P12',
      title: 'a stalled body: the server times out, closes the connection and keeps what it has',
      level: 'SHOULD',
      async run(ctx) {
        const upload = await ctx.create({ length: 10 })
        const running = await stalledPatch(ctx, upload, 'hello', 10)
        const waitMs = Math.min(ctx.timeoutMs * 0.6, 5000)
        const closed = await running.closes(waitMs)
        running.close()
        if (!closed)
          ctx.notApplicable(`no timeout within ${waitMs / 1000} s; nothing is known of a longer one`)
        const offset = await ctx.settled(upload)
        if (offset !== 5) throw new Unmet(`5 bytes were received before the stall, HEAD says ${offset}`)
        expectStatus(await ctx.patch(upload, offset, 'world'), 204)
        await ctx.expectContent(upload, 'helloworld')
      },
    },
    {
      id: 'T-P15',
      title: 'two PATCHes at one offset at once: at most one 204, and their bytes never mix',
      level: 'DECISION',
      async run(ctx) {
        await expectOneWriter(ctx, async (upload) => {
          return await Promise.all(writers.map(async (body) => await outcome(ctx.patch(upload, 0, body))))
        })
        await expectOneWriter(ctx, async (upload) => await takingTurns(ctx, upload))
      },
    },
  ],
}
