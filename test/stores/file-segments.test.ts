import { mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import type { Json, UploadRecord } from '../../src/core/upload.ts'
import { nodeDisk } from '../../src/stores/file/disk.ts'
import type { Disk } from '../../src/stores/file/disk.ts'
import { fileStore } from '../../src/stores/file/index.ts'
import { bytesOf, Scene } from '../../src/testing/store-contract/scene.ts'
import { diskThatHolds, diskThatNotes } from './faulty-disk.ts'
import { BYTES, HALF, REST, sceneOn, SIZE } from './file-scene.ts'
import { filesIn, fingerprint, temporaryDirectory } from './temporary-directory.ts'

test('a small body makes no file and no system call', async () => {
  const { disk, calls } = diskThatNotes()
  const { root, scene } = await sceneOn(disk)
  const upload = await scene.complete(bytesOf(65_536))
  expect(upload.record.placement.inline).toHaveLength(65_536)
  await upload.holds(bytesOf(65_536))
  expect(calls).toEqual([])
  expect(await filesIn(root)).toEqual([])
})

test('a larger upload is one plain file named by its id, private to its owner', async () => {
  const root = join(await temporaryDirectory(), 'deep', 'uploads')
  const scene = new Scene({ store: fileStore({ dir: root }), dispose: async () => {} })
  const upload = await scene.complete(BYTES)
  expect(await filesIn(root)).toEqual([upload.record.id])
  expect(fingerprint(await readFile(join(root, upload.record.id)))).toBe(fingerprint(BYTES))
  expect((await stat(join(root, upload.record.id))).mode & 0o777).toBe(0o600)
  expect((await stat(root)).mode & 0o777).toBe(0o700)
  expect((await stat(join(root, '..'))).mode & 0o777).toBe(0o700)
})

test('a directory that exists keeps its mode', async () => {
  const root = join(await temporaryDirectory(), 'open')
  await mkdir(root, { mode: 0o755 })
  fileStore({ dir: root, modes: { directory: 0o711 } })
  expect((await stat(root)).mode & 0o777).toBe(0o755)
})

test('modes can be chosen', async () => {
  const { root, scene } = await sceneOn(nodeDisk, { modes: { file: 0o640 } })
  const upload = await scene.complete(BYTES)
  expect((await stat(join(root, upload.record.id))).mode & 0o777).toBe(0o640)
})

test('a link in the place of an upload is not followed', async () => {
  const { root, scene } = await sceneOn()
  const upload = scene.upload(SIZE)
  await upload.append([HALF])
  await scene.restart()
  const path = join(root, upload.record.id)
  const victim = join(await temporaryDirectory(), 'victim')
  await writeFile(victim, BYTES)
  await rm(path)
  await symlink(victim, path)
  await expect(upload.open()).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORD' })
  await expect(upload.read()).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORD' })
  expect(fingerprint(await readFile(victim))).toBe(fingerprint(BYTES))
})

test('a link that waits for an upload is not followed', async () => {
  const { root, scene } = await sceneOn()
  const upload = scene.upload(SIZE)
  const victim = join(await temporaryDirectory(), 'victim')
  await writeFile(victim, 'precious')
  await symlink(victim, join(root, upload.record.id))
  await upload.append([BYTES])
  await upload.holds(BYTES)
  expect(await readFile(victim, 'utf8')).toBe('precious')
  await scene.store.remove(upload.record)
  expect(await readFile(victim, 'utf8')).toBe('precious')
})

test.each<{ what: string; where: Json; inline?: Uint8Array }>([
  { what: 'a word', where: 'file' },
  { what: 'a list', where: [] },
  { what: 'an empty object', where: {} },
  { what: 'no list of segments', where: { segments: 'a' } },
  { what: 'a path out of the directory', where: { segments: [segment({ file: '../../etc/passwd' })] } },
  { what: 'the name of a foreign file', where: { segments: [segment({ file: 'carryon.db' })] } },
  { what: 'a gap', where: { segments: [segment({ start: 1 })] } },
  { what: 'a negative length', where: { segments: [segment({ length: -1 })] } },
  { what: 'a length that is text', where: { segments: [segment({ length: '10' })] } },
  { what: 'too few bytes', where: { segments: [segment({ length: 9 })] } },
  { what: 'too many bytes', where: { segments: [segment({ length: 11 })] } },
  { what: 'no writer', where: { segments: [segment({ writer: null })] } },
  { what: 'a completed path', where: { completed: { name: '../x', size: 10 } } },
  { what: 'a hidden completed file', where: { completed: { name: '.x', size: 10 } } },
  { what: 'a completed file of another size', where: { completed: { name: 'x', size: 11 } } },
  { what: 'too few inline bytes', where: null, inline: bytesOf(9) },
])('a record that holds $what is corrupt', async ({ where, inline }) => {
  const { scene } = await sceneOn()
  const upload = scene.upload(SIZE)
  upload.change({ offset: 10, placement: inline === undefined ? { where } : { where, inline } })
  await expect(upload.open()).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORD' })
  await expect(upload.read()).rejects.toMatchObject({ code: 'ERR_CORRUPT_RECORD' })
  await scene.store.remove(upload.record)
})

function segment(change: Record<string, Json>): Json {
  return { file: 'Contract_upload-00000001', start: 0, length: 10, writer: 'w', epoch: 1, ...change }
}

test('inline bytes move into the file when the upload grows beyond them', async () => {
  const { root, scene } = await sceneOn()
  const upload = scene.upload(1000)
  await upload.append([BYTES.subarray(0, 500)])
  expect(upload.record.placement.inline).toHaveLength(500)
  upload.change({ length: SIZE })
  const undone = await upload.open()
  await undone.write([bytesOf(100, 9)])
  await undone.rollback()
  expect(await undone.commit()).toMatchObject({ offset: 500 })
  await undone.write([BYTES.subarray(500)])
  upload.apply(await undone.commit())
  await undone.close()
  expect(upload.record.placement.inline).toBeUndefined()
  await upload.holds(BYTES)
  expect(fingerprint(await readFile(join(root, upload.record.id)))).toBe(fingerprint(BYTES))
})

test('a series of appends opens its file once', async () => {
  const { disk, calls } = diskThatNotes()
  const { scene } = await sceneOn(disk)
  const upload = scene.upload(SIZE)
  for (let at = 0; at < SIZE; at += 30_000) await upload.append([BYTES.subarray(at, at + 30_000)])
  await upload.holds(BYTES)
  const count = (name: string): number => calls.filter((call) => call === name).length
  // The file, its directory, and the reader at the end.
  expect(count('open')).toBe(3)
  expect(count('fstat') + count('lstat')).toBe(0)
  expect(count('writev')).toBe(10)
  expect(count('fdatasync')).toBe(10)
  expect(count('fsync')).toBe(1)
  await scene.store.close()
  expect(count('close')).toBe(3)
})

test('no handle stays open after close', async () => {
  const { disk, calls } = diskThatNotes()
  const { scene } = await sceneOn(disk)
  await Promise.all(
    Array.from({ length: 300 }, async () => {
      const upload = scene.upload(undefined)
      await upload.append([bytesOf(100)])
    }),
  )
  await scene.store.close()
  const count = (name: string): number => calls.filter((call) => call === name).length
  expect(count('close')).toBe(count('open'))
})

test('a commit returns while a write is under way, without its bytes', async () => {
  const held = diskThatHolds('writev')
  let holding = false
  const disk: Disk = {
    ...nodeDisk,
    writev: (fd, chunks, position) => (holding ? held.disk : nodeDisk).writev(fd, chunks, position),
  }
  const { scene } = await sceneOn(disk)
  const upload = scene.upload(SIZE)
  const appender = await upload.open()
  await appender.write([HALF])
  holding = true
  const writing = appender.write([REST])
  await held.reached
  upload.apply(await appender.commit())
  await upload.holds(HALF)
  held.release()
  await writing
  upload.apply(await appender.commit())
  await appender.close()
  await upload.holds(BYTES)
})

test('durability process syncs nothing, durability power data and directory', async () => {
  for (const durability of ['process', 'power'] as const) {
    const { disk, calls } = diskThatNotes()
    const { scene } = await sceneOn(disk, { durability })
    await (await scene.complete(BYTES)).holds(BYTES)
    const syncs = calls.filter((call) => call === 'fdatasync' || call === 'fsync')
    expect(syncs.toSorted()).toEqual(durability === 'power' ? ['fdatasync', 'fsync'] : [])
  }
})

test('orphans are only files of our own naming', async () => {
  const { root, scene } = await sceneOn()
  const lost = await scene.complete(BYTES)
  const known = await scene.complete(BYTES)
  const foreign = ['carryon.db', 'carryon.db-wal', 'notes.txt', `${lost.record.id}.bak`, '.hidden', 'short']
  for (const name of foreign) await writeFile(join(root, name), 'x')
  const temporary = `.${known.record.id}.tmp`
  await writeFile(join(root, temporary), 'x')
  await mkdir(join(root, 'A'.repeat(22)))
  const names: string[] = []
  const find = async (id: string): Promise<UploadRecord | undefined> =>
    id === known.record.id ? known.record : undefined
  for await (const orphan of scene.store.orphans!(find, 0)) {
    names.push(orphan.name)
    await orphan.remove()
  }
  expect(names.toSorted()).toEqual([temporary, lost.record.id])
  expect(await filesIn(root)).toEqual([...foreign, known.record.id].toSorted())
})

test('free space is asked for once a second', async () => {
  const { disk, calls } = diskThatNotes()
  let nowMs = 5000
  const { scene } = await sceneOn(disk, { clock: { nowMs: () => nowMs } })
  const bytes = await scene.store.freeBytes!()
  expect(bytes).toBeGreaterThan(0)
  nowMs += 999
  await scene.store.freeBytes!()
  expect(calls).toEqual(['space'])
  nowMs += 1
  await scene.store.freeBytes!()
  expect(calls).toEqual(['space', 'space'])
})

test('options that make no sense are refused at construction', async () => {
  const dir = await temporaryDirectory()
  expect(() => fileStore({ dir: '' })).toThrow(TypeError)
  expect(() => fileStore({ dir, inlineMaxBytes: -1 })).toThrow(TypeError)
  expect(() => fileStore({ dir, completedDir: dir })).toThrow(TypeError)
  expect(() => fileStore({ dir, completedDir: `${dir}/../${dir.split('/').at(-1)}/` })).toThrow(TypeError)
  expect(() => fileStore({ dir, completedName: '{id}/{name}' })).toThrow(TypeError)
  expect(await filesIn(dir)).toEqual([])
})

test('a reader that leaves waits for the read under way before it closes the file', async () => {
  const held = diskThatHolds('read')
  const { disk, calls } = diskThatNotes()
  let reads = 0
  const read: Disk['read'] = (fd, into, position) => {
    reads += 1
    return (reads === 1 ? disk : held.disk).read(fd, into, position)
  }
  const { scene } = await sceneOn({ ...disk, read })
  const upload = await scene.complete(BYTES)
  calls.splice(0)
  const source = scene.store.read(upload.record, { start: 0, end: SIZE }, new AbortController().signal)
  const iterator = source[Symbol.asyncIterator]()
  await iterator.next()
  await held.reached
  const leaving = iterator.return?.()
  await new Promise((resolve) => setImmediate(resolve))
  expect(calls).toEqual(['open', 'read'])
  held.release()
  await leaving
  expect(calls).toEqual(['open', 'read', 'close'])
})
