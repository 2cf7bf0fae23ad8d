import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withSmallFiles } from '../../../src/cli/upload/small-file.ts'
import type { Source } from '../../../src/client/ports/source.ts'
import { openNodeSource } from '../../../src/client/sources/open-node.ts'

let dir = ''
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'carryon-small-'))))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const options = { replayBufferBytes: 1024 }
const { signal } = new AbortController()

async function kindOf(source: Source): Promise<string> {
  const { content } = await source.slice(0, Infinity, signal)
  await source.close()
  return content.kind
}

test.each([
  [0, 'bytes'],
  [64 * 1024, 'bytes'],
  [64 * 1024 + 1, 'chunks'],
])('a file of %i bytes is sent as %s, with the same traits', async (sizeBytes, kind) => {
  const path = join(dir, 'file')
  writeFileSync(path, Buffer.alloc(sizeBytes, 'x'))
  const source = await withSmallFiles(openNodeSource)(path, options)
  const usual = await openNodeSource(path, options)
  expect(source.traits).toEqual(usual.traits)
  expect(source.sizeBytes).toBe(sizeBytes)
  await usual.close()
  expect(await kindOf(source)).toBe(kind)
})

test('a range of a small file', async () => {
  const path = join(dir, 'file')
  writeFileSync(path, 'abcdef')
  const source = await withSmallFiles(openNodeSource)(path, { ...options, startBytes: 1, endBytes: 4 })
  const { content } = await source.slice(1, Infinity, signal)
  expect(content.kind === 'bytes' && Buffer.from(content.bytes).toString()).toBe('cd')
})

test('what changes meanwhile is noticed before it goes on', async () => {
  const path = join(dir, 'file')
  writeFileSync(path, 'abcdef')
  const source = await withSmallFiles(openNodeSource)(path, options)
  await source.verify()
  appendFileSync(path, 'g')
  await expect(source.verify()).rejects.toMatchObject({ name: 'SourceChanged' })
  truncateSync(path, 6)
  await expect(source.verify()).rejects.toMatchObject({ name: 'SourceChanged' })
  rmSync(path)
  await expect(source.verify()).rejects.toMatchObject({ name: 'SourceChanged' })
})

test('what cannot be read is told as always', async () => {
  const open = withSmallFiles(openNodeSource)
  await expect(open(join(dir, 'none'), options)).rejects.toMatchObject({ code: 'source' })
  await expect(open(dir, options)).rejects.toMatchObject({ code: 'source' })
})
