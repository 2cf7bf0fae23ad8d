import { spread, withConnections } from '../generator/connection.ts'
import { append, createUpload, lookUp } from '../generator/tus.ts'
import { KiB, MiB, someOf, timed } from './workload.ts'
import type { Context, LoadWorkload, Session } from './workload.ts'

const createConnections = 32
const lengthBytes = MiB

async function createMany({ target, amount }: Context): Promise<Session> {
  const paths: string[] = []
  return {
    run: () =>
      withConnections(target.port, createConnections, (connections) =>
        timed({ operations: amount, bytes: 0 }, () =>
          spread(connections, amount, async (connection, index) => {
            paths[index] = await createUpload(connection, target, lengthBytes)
          }),
        ),
      ),
    verify: () =>
      withConnections(target.port, 1, async ([only]) => {
        if (new Set(paths).size !== amount) throw new Error('two creates were given one path')
        for (const index of someOf(amount, 20)) await lookUp(only!, paths[index] ?? '', 0)
      }),
  }
}

export const creates: LoadWorkload = {
  kind: 'load',
  name: 'creates',
  title: 'creates (POST only), 32 connections',
  needs: [],
  unit: 'operations',
  operation: 'create',
  amounts: { full: 5000, quick: 2000, warm: 500, traced: 640 },
  bytes: () => 64 * MiB,
  prepare: createMany,
}

/** Each connection asks for an upload of its own, begun and not finished, as clients that resume do. */
async function lookUpMany({ target, amount }: Context, connectionCount: number): Promise<Session> {
  const begunBytes = 4 * KiB
  const paths = await withConnections(target.port, 1, async ([only]) => {
    const made: string[] = []
    for (let seed = 0; seed < connectionCount; seed += 1) {
      const path = await createUpload(only!, target, lengthBytes)
      await append(only!, path, { extent: { seed, from: 0, bytes: begunBytes } })
      made.push(path)
    }
    return made
  })
  const ask = (count: number): Promise<{ operations: number; bytes: number; wallMs: number }> =>
    withConnections(target.port, connectionCount, (connections) => {
      const pathOf = new Map(connections.map((each, index) => [each, paths[index] ?? '']))
      return timed({ operations: count, bytes: 0 }, () =>
        spread(connections, count, (connection) =>
          lookUp(connection, pathOf.get(connection) ?? '', begunBytes),
        ),
      )
    })
  return {
    run: () => ask(amount),
    verify: async () => {
      await ask(connectionCount)
    },
  }
}

function heads(name: string, title: string, connectionCount: number): LoadWorkload {
  return {
    kind: 'load',
    name,
    title,
    needs: [],
    unit: 'operations',
    operation: 'HEAD',
    amounts: { full: 10_000, quick: 4000, warm: 1000, traced: 500 },
    bytes: () => 16 * MiB,
    prepare: (context) => lookUpMany(context, connectionCount),
  }
}

export const headsAlone: LoadWorkload = heads('head-1', 'HEAD, 1 connection', 1)
export const headsTogether: LoadWorkload = heads('head-32', 'HEAD, 32 connections, an upload each', 32)
