import { withConnections } from '../generator/connection.ts'
import { sha256Of } from '../generator/content.ts'
import { append, checkContent, createUpload, download, lookUp } from '../generator/tus.ts'
import { GiB, MiB, timed } from './workload.ts'
import type { Context, LoadWorkload, Session } from './workload.ts'

async function oneUpload(context: Context, appendBytes: number): Promise<Session> {
  const { target, amount, variant } = context
  const step = Math.min(appendBytes, amount)
  const path = await withConnections(target.port, 1, async ([only]) => createUpload(only!, target, amount))
  const whole = { seed: 1, from: 0, bytes: amount }
  const sha256 = variant === 'sha256' ? sha256Of(whole).toString('base64') : undefined
  return {
    run: () =>
      withConnections(target.port, 1, async ([only]) =>
        timed({ operations: Math.ceil(amount / step), bytes: amount }, async () => {
          for (let from = 0; from < amount; from += step) {
            const extent = { seed: 1, from, bytes: Math.min(step, amount - from) }
            await append(only!, path, { extent, sha256 })
          }
        }),
      ),
    verify: () => withConnections(target.port, 1, async ([only]) => checkContent(only!, path, whole)),
  }
}

function patches(options: {
  name: string
  title: string
  totalBytes: number
  appendBytes: number
  quickBytes: number
  tracedBytes: number
}): LoadWorkload {
  return {
    kind: 'load',
    name: options.name,
    title: options.title,
    needs: [],
    unit: 'bytes',
    operation: 'PATCH',
    amounts: {
      full: options.totalBytes,
      quick: options.quickBytes,
      warm: Math.min(64 * MiB, options.quickBytes),
      traced: options.tracedBytes,
    },
    bytes: (amount) => amount,
    prepare: (context) => oneUpload(context, options.appendBytes),
  }
}

export const onePatch: LoadWorkload = patches({
  name: 'patch-1gib',
  title: '1 GiB, one PATCH',
  totalBytes: GiB,
  appendBytes: GiB,
  quickBytes: 256 * MiB,
  tracedBytes: GiB,
})

export const eightMiBPatches: LoadWorkload = patches({
  name: 'patch-8mib',
  title: '1 GiB as 8 MiB PATCHes',
  totalBytes: GiB,
  appendBytes: 8 * MiB,
  quickBytes: 256 * MiB,
  tracedBytes: 256 * MiB,
})

export const oneMiBPatches: LoadWorkload = patches({
  name: 'patch-1mib',
  title: '256 MiB as 1 MiB PATCHes',
  totalBytes: 256 * MiB,
  appendBytes: MiB,
  quickBytes: 64 * MiB,
  tracedBytes: 64 * MiB,
})

/** The price of a checksum: the same PATCH with and without, on the same server. */
export const checksumPatch: LoadWorkload = {
  ...onePatch,
  name: 'sha256',
  title: '1 GiB PATCH with Upload-Checksum sha256',
  needs: ['checksum'],
  variants: ['none', 'sha256'],
}

async function downloads(context: Context): Promise<Session> {
  const { target, amount } = context
  const path = await withConnections(target.port, 1, async ([only]) => {
    const created = await createUpload(only!, target, amount)
    await append(only!, created, { extent: { seed: 1, from: 0, bytes: amount } })
    return created
  })
  return {
    run: () =>
      withConnections(target.port, 1, async ([only]) => {
        const load = await timed({ operations: 1, bytes: amount }, async () => {
          const bytes = await download(only!, path)
          if (bytes !== amount) throw new Error(`GET: ${bytes} bytes of ${amount}`)
        })
        await lookUp(only!, path, amount)
        return load
      }),
    verify: () =>
      withConnections(target.port, 1, async ([only]) =>
        checkContent(only!, path, { seed: 1, from: 0, bytes: amount }),
      ),
  }
}

export const getDownload: LoadWorkload = {
  ...onePatch,
  name: 'get',
  title: 'GET of a 1 GiB upload',
  needs: ['store'],
  operation: 'GET',
  prepare: downloads,
}
