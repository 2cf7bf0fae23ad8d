import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { spread, withConnections } from '../generator/connection.ts'
import { append, checkContent, createUpload } from '../generator/tus.ts'
import { KiB, MiB, someOf, timed } from './workload.ts'
import type { Context, Load, LoadWorkload, Session } from './workload.ts'

async function createAll({ target, amount }: Context, lengthBytes: number): Promise<string[]> {
  const paths: string[] = []
  await withConnections(target.port, Math.min(8, amount), (connections) =>
    spread(connections, amount, async (connection, index) => {
      paths[index] = await createUpload(connection, target, lengthBytes)
    }),
  )
  return paths
}

interface Manner {
  lengthBytes: number
  pieceBytes: number
  pace?: (startMs: number, index: number) => (piece: number) => Promise<void>
}

async function together(context: Context, manner: Manner): Promise<Session> {
  const { target, amount } = context
  const { lengthBytes, pieceBytes } = manner
  const paths = await createAll(context, lengthBytes)
  const run = (): Promise<Load> =>
    withConnections(target.port, amount, (connections) =>
      timed({ operations: amount, bytes: amount * lengthBytes }, async () => {
        const startMs = performance.now()
        await Promise.all(
          connections.map((connection, index) => {
            const extent = { seed: index, from: 0, bytes: lengthBytes }
            const pace = manner.pace?.(startMs, index)
            const options = pace === undefined ? { extent, pieceBytes } : { extent, pieceBytes, pace }
            return append(connection, paths[index] ?? '', options)
          }),
        )
      }),
    )
  const verify = (): Promise<void> =>
    withConnections(target.port, 1, async ([only]) => {
      for (const index of someOf(amount, 5)) {
        await checkContent(only!, paths[index] ?? '', { seed: index, from: 0, bytes: lengthBytes })
      }
    })
  return { run, verify }
}

export const concurrent: LoadWorkload = {
  kind: 'load',
  name: 'concurrent',
  title: '100 concurrent x 16 MiB',
  needs: [],
  unit: 'bytes',
  operation: 'PATCH',
  amounts: { full: 100, quick: 20, warm: 8, traced: 20 },
  bytes: (amount) => amount * 16 * MiB,
  prepare: (context) => together(context, { lengthBytes: 16 * MiB, pieceBytes: MiB }),
}

const slowPieceBytes = 16 * KiB
const slowBytes = 640 * KiB
/** 16 KiB every 125 ms are 128 KiB/s. */
const slowPieceMs = 125

// Every upload starts at its own moment of the interval: a thousand at one tick would be a burst, not a slow line.
function slowly(startMs: number, index: number): (piece: number) => Promise<void> {
  const phaseMs = (index * 37) % slowPieceMs
  return async (piece) => {
    const waitMs = startMs + phaseMs + piece * slowPieceMs - performance.now()
    if (waitMs > 0) await sleep(waitMs)
  }
}

export const slowUploads: LoadWorkload = {
  kind: 'load',
  name: 'slow',
  title: '1,000 slow uploads, 128 KiB/s each for 5 s',
  needs: [],
  unit: 'bytes',
  operation: 'PATCH',
  amounts: { full: 1000, quick: 1000, warm: 0, traced: 20 },
  bytes: (amount) => amount * slowBytes,
  prepare: (context) =>
    together(context, { lengthBytes: slowBytes, pieceBytes: slowPieceBytes, pace: slowly }),
}
