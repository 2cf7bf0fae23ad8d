import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { ImportEvent, ImportOptions, ImportTotals } from '../../../src/node/import/index.ts'
import { importUploads } from '../../../src/node/import/index.ts'
import type { Uploads, UploadsOptions } from '../../../src/node/index.ts'
import { openUploads } from '../../../src/node/index.ts'

const waiting: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await next()
})

/** Does something after the running test; what was asked for last is done first. */
export function afterTest(work: () => Promise<unknown>): void {
  waiting.push(work)
}

/** Directories of an old and a new server; removed after the test. */
export interface Places {
  readonly root: string
  readonly from: string
  readonly dir: string
}

export async function places(): Promise<Places> {
  const root = await mkdtemp(join(tmpdir(), 'carryon-import-'))
  afterTest(() => rm(root, { recursive: true, force: true }))
  const from = join(root, 'data')
  await mkdir(from)
  return { root, from, dir: join(root, 'uploads') }
}

export interface Import {
  readonly totals: ImportTotals
  /** By name. */
  readonly events: ReadonlyMap<string, ImportEvent>
}

export async function runImport(
  { from, dir }: Places,
  options: Partial<ImportOptions> = {},
): Promise<Import> {
  const events = new Map<string, ImportEvent>()
  const totals = await importUploads({
    from,
    dir,
    ...options,
    onEvent: (event) => events.set(event.name, event),
  })
  return { totals, events }
}

/** The new server, closed after the test at the latest. */
export async function serve({ dir }: Places, options: Partial<UploadsOptions> = {}): Promise<Served> {
  const uploads = await openUploads({ dir, reap: false, ...options })
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= uploads.close())
  afterTest(close)
  return { uploads, close, ...requests(uploads) }
}

/** Requests of a client, without a socket. */
interface Requests {
  readonly head: (id: string) => Promise<Response>
  /** The content of a complete upload. */
  readonly get: (id: string) => Promise<Buffer>
  readonly delete: (id: string) => Promise<Response>
  readonly patch: (
    id: string,
    offset: number,
    body: Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Response>
}

interface Served extends Requests {
  readonly uploads: Uploads
  readonly close: () => Promise<void>
}

const CONTENT = { 'Content-Type': 'application/offset+octet-stream' }

function requests(uploads: Uploads): Requests {
  const send = async (
    method: string,
    id: string,
    fields: Readonly<Record<string, string>> = {},
    body?: Uint8Array<ArrayBuffer>,
  ): Promise<Response> => {
    const headers = { 'Tus-Resumable': '1.0.0', ...fields }
    const request = new Request(`http://localhost/files/${id}`, { method, headers, body: body ?? null })
    const answer = await uploads.fetch(request)
    if (answer === undefined) throw new Error('nobody has answered')
    return answer
  }
  return {
    head: (id) => send('HEAD', id),
    get: async (id) => Buffer.from(await (await send('GET', id)).arrayBuffer()),
    delete: (id) => send('DELETE', id),
    patch: (id, offset, body, headers = {}) =>
      send('PATCH', id, { ...CONTENT, 'Upload-Offset': String(offset), ...headers }, new Uint8Array(body)),
  }
}

/** Every file below a directory, with all that an import could do to it. */
export async function contentsOf(dir: string): Promise<Readonly<Record<string, string>>> {
  const contents: Record<string, string> = {}
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const { ino, mode, mtimeMs } = await stat(path)
    contents[path] = `${ino} ${mode.toString(8)} ${mtimeMs} ${sha256(await readFile(path))}`
  }
  return contents
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
