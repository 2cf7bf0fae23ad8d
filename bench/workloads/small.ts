import { spread, withConnections } from '../generator/connection.ts'
import type { RawConnection } from '../generator/connection.ts'
import { append, checkContent, createUpload, createWithContent } from '../generator/tus.ts'
import { KiB, MiB, someOf, timed } from './workload.ts'
import type { Context, LoadWorkload, Session } from './workload.ts'

const uploadBytes = 4 * KiB
const connectionCount = 8

type SendOne = (connection: RawConnection, target: Context['target'], seed: number) => Promise<string>

async function uploads({ target, amount }: Context, sendOne: SendOne): Promise<Session> {
  const paths: string[] = []
  return {
    run: () =>
      withConnections(target.port, connectionCount, (connections) =>
        timed({ operations: amount, bytes: amount * uploadBytes }, () =>
          spread(connections, amount, async (connection, index) => {
            paths[index] = await sendOne(connection, target, index)
          }),
        ),
      ),
    verify: () =>
      withConnections(target.port, 1, async ([only]) => {
        for (const index of someOf(amount, 20)) {
          await checkContent(only!, paths[index] ?? '', { seed: index, from: 0, bytes: uploadBytes })
        }
      }),
  }
}

function smallUploads(name: string, title: string, sendOne: SendOne): LoadWorkload {
  return {
    kind: 'load',
    name,
    title,
    needs: [],
    unit: 'operations',
    operation: 'upload',
    amounts: { full: 2000, quick: 1000, warm: 500, traced: 400 },
    bytes: () => 64 * MiB,
    prepare: (context) => uploads(context, sendOne),
  }
}

export const smallPostPatch: LoadWorkload = smallUploads(
  'small-post-patch',
  '2,000 x 4 KiB, POST + PATCH, 8 connections',
  async (connection, target, seed) => {
    const path = await createUpload(connection, target, uploadBytes)
    await append(connection, path, { extent: { seed, from: 0, bytes: uploadBytes } })
    return path
  },
)

export const smallWithUpload: LoadWorkload = smallUploads(
  'small-with-upload',
  '2,000 x 4 KiB, creation-with-upload, 8 connections',
  (connection, target, seed) => createWithContent(connection, target, { seed, from: 0, bytes: uploadBytes }),
)
