import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { afterTest } from '../e2e/support/after-test.ts'
import { seededRandom, sha256 } from '../e2e/support/content.ts'
import type { Tracked } from '../e2e/support/crash-load.ts'
import { Load, Oracle } from '../e2e/support/crash-load.ts'
import { HttpClient, offsetOf } from '../e2e/support/http-client.ts'
import { ServerProcess } from '../e2e/support/server-process.ts'
import { CuttableDisk } from './cuttable-disk.ts'

const CUTS = 20
const STREAMS = 4
const SEED = Number(process.env['CARRYON_TEST_SEED'] ?? Date.now() % 1_000_000)

/** What the clients knew when the power went. */
interface Promised {
  readonly upload: Tracked
  readonly ackedBytes: number
  readonly isDeleted: boolean
}

/** @see reference: invariants I1 to I3 */
test(`${CUTS} power cuts under load lose nothing that was acknowledged (seed ${SEED})`, async (context) => {
  const disk = CuttableDisk.make()
  if (typeof disk === 'string') {
    console.warn(`NOT RUN: power cuts. ${disk}`)
    return context.skip(disk)
  }
  afterTest(async () => disk.close())
  const random = seededRandom(SEED)
  const oracle = new Oracle()
  const server = await ServerProcess.start({ dir: join(disk.path, 'uploads') })
  const load = new Load(oracle, server.url, random)
  const clients = load.run(STREAMS)
  const cuts: { cut: number; promised: Promised[] }[] = []
  for (let count = 0; count < CUTS; count += 1) {
    await delay(100 + 400 * random())
    // Taken first: what is acknowledged while the copy is made proves nothing.
    const promised = oracle.uploads.map(promiseOf)
    cuts.push({ cut: disk.cut(), promised })
  }
  load.end()
  await server.end('SIGKILL')
  await clients
  load.close()

  let contents = 0
  for (const { cut, promised } of cuts) {
    await disk.boot(cut, async (path) => {
      contents += await checkAfterBoot(join(path, 'uploads'), promised)
    })
  }
  const states = cuts.reduce((sum, { promised }) => sum + promised.length, 0)
  console.log(`${CUTS} power cuts: ${states} acknowledged uploads there, ${contents} contents compared`)
  expect(states).toBeGreaterThan(CUTS * 10)
}, 600_000)

function promiseOf(upload: Tracked): Promised {
  return { upload, ackedBytes: upload.ackedBytes, isDeleted: upload.fate === 'deleted' }
}

/** @returns The number of contents that were compared. */
async function checkAfterBoot(dir: string, promised: readonly Promised[]): Promise<number> {
  const server = await ServerProcess.start({ dir })
  try {
    const compared = await checkAll(server.url, promised)
    expect(await server.end('SIGTERM')).toBe(0)
    return compared
  } finally {
    // The disk cannot be unmounted under it.
    await server.end('SIGKILL')
  }
}

async function checkAll(base: string, promised: readonly Promised[]): Promise<number> {
  const client = new HttpClient()
  let compared = 0
  for (const { upload, ackedBytes, isDeleted } of promised) {
    const url = new URL(upload.path, base).href
    const answer = await client.head(url)
    if (isDeleted) {
      expect(answer.status, `${upload.path} was deleted`).toBe(410)
      continue
    }
    // It may have been deleted between the promise and the cut.
    if (upload.fate !== 'live' && answer.status === 410) continue
    expect(answer.status, upload.path).toBe(200)
    const offset = offsetOf(answer)
    expect(offset, `${upload.path}: acknowledged`).toBeGreaterThanOrEqual(ackedBytes)
    expect(offset, `${upload.path}: ever sent`).toBeLessThanOrEqual(upload.sentBytes)
    await finish(client, url, upload, offset)
    const got = await client.get(url)
    expect(sha256(got.body), `${upload.path} from ${offset}`).toBe(
      sha256(upload.content.slice(0, upload.length)),
    )
    compared += 1
  }
  client.close()
  return compared
}

/** The upload goes on where it was. */
async function finish(client: HttpClient, url: string, upload: Tracked, offset: number): Promise<void> {
  if (offset === upload.length) return
  const headers = upload.isDeferred ? { 'Upload-Length': String(upload.length) } : {}
  const answer = await client.patch(url, offset, upload.content.slice(offset, upload.length), headers)
  expect(answer.status, answer.body.toString()).toBe(204)
}
