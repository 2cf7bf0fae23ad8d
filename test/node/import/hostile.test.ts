import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Import, Places } from './scene.ts'
import { contentsOf, places, runImport, serve } from './scene.ts'
import { tusdId, tusdInfo, writeTusd } from './tusd-fixture.ts'

const data = randomBytes(1000)
const SOUND = { size: 5000, data }

/** Writes one upload that must not be taken over; `secret` lies outside and belongs to somebody else. */
type Trap = (at: Places, secret: string) => Promise<string>

/** The member of an `.info` as it is, whatever it is. */
const member =
  (info: Readonly<Record<string, unknown>>): Trap =>
  ({ from }) =>
    writeTusd(from, { ...SOUND, info })

/** The whole text of an `.info`. */
const text =
  (make: (id: string) => string): Trap =>
  async ({ from }) => {
    const id = await writeTusd(from, SOUND)
    await writeFile(join(from, `${id}.info`), make(id))
    return id
  }

/** A data file that is something else. */
const dataAs =
  (make: (path: string, at: Places, secret: string) => void): Trap =>
  async (at, secret) => {
    const id = await writeTusd(at.from, { size: 5000 })
    make(join(at.from, id), at, secret)
    return id
  }

const storage = (path: string, infoPath?: string): Trap =>
  member({ Storage: { Type: 'filestore', Path: path, ...(infoPath ? { InfoPath: infoPath } : {}) } })

const TRAPS: readonly (readonly [what: string, reason: string, trap: Trap])[] = [
  ['no JSON', 'it is not JSON', text(() => '{"ID":')],
  ['an empty file', 'it is not JSON', text(() => '')],
  ['no text at all', 'it is not JSON', text(() => '\0\u{fffd}\u001b[2J')],
  ['nested too deep', 'it is not JSON', text(() => '['.repeat(1_000_000))],
  ['a list', 'it is not a JSON object', text(() => '[]')],
  ['null', 'it is not a JSON object', text(() => 'null')],
  ['more than 1 MiB', 'larger than 1 MiB', text((id) => tusdInfo('data', id, SOUND) + ' '.repeat(1_048_576))],
  ['no ID', 'its ID is another one', member({ ID: undefined })],
  ['an ID that is a path', 'its ID is another one', member({ ID: '../../etc/passwd' })],
  ['an ID that is no text', 'its ID is another one', member({ ID: ['x'] })],
  ['no Size', 'its Size is not a whole number', member({ Size: undefined })],
  ['a negative Size', 'its Size is not a whole number', member({ Size: -1 })],
  ['half a byte', 'its Size is not a whole number', member({ Size: 0.5 })],
  ['a Size as text', 'its Size is not a whole number', member({ Size: '5000' })],
  ['a Size past all numbers', 'its Size is not a whole number', text((id) => sized(id, '1e400'))],
  [
    'a Size that would be rounded',
    'its Size is not a whole number',
    text((id) => sized(id, '9007199254740993')),
  ],
  ['a Size less than its data', 'has 1000 bytes, and its length is 999', member({ Size: 999 })],
  ['SizeIsDeferred as text', 'its SizeIsDeferred is neither', member({ SizeIsDeferred: 'yes' })],
  ['MetaData as a list', 'its MetaData is not an object', member({ MetaData: ['a'] })],
  ['MetaData with a number', 'its MetaData "a" is not text', member({ MetaData: { a: 1 } })],
  ['IsPartial as a number', 'its IsPartial is neither', member({ IsPartial: 1 })],
  ['part and whole', 'both a partial and a final', member({ IsPartial: true, IsFinal: true })],
  ['a final without parts', 'PartialUploads is not a list', member({ IsFinal: true })],
  [
    'parts that are paths',
    'PartialUploads names an id',
    member({ IsFinal: true, PartialUploads: ['../../../../etc/passwd\r\nSet-Cookie: a=b'] }),
  ],
  ['Storage as text', 'its Storage is not an object', member({ Storage: 'x' })],
  ['data in S3', 'its Storage.Type is not filestore', member({ Storage: { Type: 's3store', Bucket: 'b' } })],
  ['Storage.Path as a number', 'its Storage.Path is not a path', member({ Storage: { Path: 1 } })],
  ['Storage.Path with NUL', 'its Storage.Path is not a path', storage('data/a\0b')],
  ['Storage.Path outside', 'leads out of the directory', storage('data/../../secret', 'data/x.info')],
  ['Storage.Path somewhere', 'leads out of the directory', storage('somewhere/else')],
  ['Storage.Path is the directory', 'leads out of the directory', storage('data', 'data/x.info')],
  [
    'Storage.Path absolute and outside',
    'leads out of the directory',
    async (at, secret) => storage(secret)(at, secret),
  ],
  [
    'the data of another upload',
    'its data file is that of another upload',
    async (at, secret) => {
      const victim = await writeTusd(at.from, SOUND)
      return storage(`data/${victim}`, 'data/x.info')(at, secret)
    },
  ],
  ['the description of another upload', 'is no data file', storage('data/other.info', 'data/x.info')],
  [
    'data that another one claims as well',
    'its data file is that of another upload',
    async (at, secret) => {
      await writeFile(join(at.from, 'claimed.bin'), data)
      await storage('data/claimed.bin', 'data/x.info')(at, secret)
      return storage('data/claimed.bin', 'data/x.info')(at, secret)
    },
  ],
  [
    'data behind a link to a directory',
    'a symbolic link leads to its data file',
    async (at, secret) => {
      symlinkSync(at.root, join(at.from, 'way-out'))
      return storage('data/way-out/secret', 'data/x.info')(at, secret)
    },
  ],
  [
    'data that is a link',
    'its data file is no plain file',
    dataAs((path, _, secret) => symlinkSync(secret, path)),
  ],
  ['data that is a link to nothing', 'is no plain file', dataAs((path) => symlinkSync('nothing', path))],
  ['data that is a directory', 'its data file is no plain file', dataAs((path) => mkdirSync(path))],
  ['data that is a pipe', 'is no plain file', dataAs((path) => void execFileSync('mkfifo', [path]))],
  [
    'a description that is a link',
    'it is a symbolic link',
    async ({ from, root }) => {
      const id = await writeTusd(from, SOUND)
      renameSync(join(from, `${id}.info`), join(root, 'real'))
      symlinkSync(join(root, 'real'), join(from, `${id}.info`))
      return id
    },
  ],
  [
    'a description that is a pipe',
    'it is not a plain file',
    async ({ from }) => {
      const id = tusdId()
      execFileSync('mkfifo', [join(from, `${id}.info`)])
      return id
    },
  ],
  [
    'an id with a slash',
    'its id cannot be kept',
    ({ from }) => writeTusd(from, { ...SOUND, id: `team/${tusdId()}` }),
  ],
  [
    'an id that is too short',
    'its id cannot be kept',
    ({ from }) => writeTusd(from, { ...SOUND, id: 'short' }),
  ],
  [
    'an id with a plus',
    'its id cannot be kept',
    ({ from }) => writeTusd(from, { ...SOUND, id: `${tusdId()}+a` }),
  ],
]

function sized(id: string, size: string): string {
  return tusdInfo('data', id, SOUND).replace('"Size":5000', `"Size":${size}`)
}

let root = ''
let at: Places
let names: readonly string[]
let sound: string
let before: Readonly<Record<string, string>>
let result: Import

// All at once, beside a sound one, and in the way that removes files: what could do most harm.
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'carryon-import-'))
  at = { root, from: join(root, 'data'), dir: join(root, 'uploads') }
  mkdirSync(at.from)
  const secret = join(root, 'secret')
  writeFileSync(secret, data)
  const made: string[] = []
  for (const [, , trap] of TRAPS) made.push(await trap(at, secret))
  names = made
  sound = await writeTusd(at.from, SOUND)
  before = await contentsOf(root)
  result = await runImport(at, { how: 'move' })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

test.each(TRAPS.map(([what, reason], index) => ({ what, reason, index })))(
  '$what: told in one line',
  ({ reason, index }) => {
    const name = names[index] ?? ''
    const told = { kind: 'failed', name, reason: expect.stringContaining(reason) }
    expect(result.events.get(name)).toMatchObject(told)
  },
)

test('what was refused is left alone, and what is sound goes on', async () => {
  const after = await contentsOf(root)
  const imported = [...result.events.values()].filter(({ kind }) => kind === 'imported')
  const isTaken = (path: string): boolean => imported.some(({ name }) => path.includes(name))
  for (const [path, was] of Object.entries(before)) if (!isTaken(path)) expect(after[path], path).toBe(was)
  expect(after[join(root, 'secret')]).toBe(before[join(root, 'secret')])
  const server = await serve(at)
  for (const name of names) if (!name.includes('/')) expect((await server.head(name)).status, name).toBe(404)
  expect((await server.patch(sound, 1000, randomBytes(4000))).status).toBe(204)
})

test('metadata that could do harm does none', async () => {
  const here = await places()
  const MetaData = {
    __proto__: 'a',
    'two\r\nlines': 'b',
    schlüssel: 'c',
    '': 'd',
    filename: '../../\u001b[2J"evil\r\n.html',
    filetype: 'text/html\r\nX-Evil: 1',
    half: '\ud800',
  }
  const info = `{"ID":"ID","Size":1000,"MetaData":${JSON.stringify(MetaData).replace('{', '{"__proto__":"a",')}}`
  const id = await text((name) => info.replace('"ID":"ID"', `"ID":"${name}"`))(here, '')
  const { totals } = await runImport(here, { completedName: '{name}' })
  expect(totals).toMatchObject({ imported: 1, failed: 0 })
  expect(await readdir(join(here.dir, 'completed'))).toEqual(['[2J_evil .html'])
  const server = await serve(here)
  const { headers } = await server.head(id)
  const keys = headers
    .get('Upload-Metadata')
    ?.split(',')
    .map((pair) => pair.split(' ')[0])
  expect(keys).toEqual(['__proto__', 'filename', 'filetype', 'half'])
  const download = await server.uploads.fetch(new Request(`http://localhost/files/${id}`))
  expect(download?.headers.get('X-Evil')).toBe(null)
  expect(download?.headers.get('Content-Disposition')).toMatch(/^attachment/)
})

test('directories without end or right, and files of others, are passed over', async () => {
  const here = await places()
  symlinkSync(here.from, join(here.from, 'again'))
  await mkdir(join(here.from, 'docs'))
  await writeFile(join(here.from, 'docs', 'package.json'), '{"id":"other"}')
  await writeFile(join(here.from, 'package.json'), 'no JSON')
  await writeFile(join(here.from, 'a-name-that-looks-like-an-id.json'), '{}')
  await writeFile(join(here.from, 'readme'), 'text')
  const { totals } = await runImport(here)
  expect(totals).toEqual({ imported: 0, unfinished: 0, skipped: 0, failed: 0 })
})
