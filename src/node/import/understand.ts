import type { Stats } from 'node:fs'
import { lstat, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseUploadId } from '../../core/upload-id.ts'
import { failure, success } from '../../protocol/parsed.ts'
import type { Parsed } from '../../protocol/parsed.ts'
import { parseFileStore } from './file-store.ts'
import type { ForeignUpload } from './foreign-upload.ts'
import { FOREIGN_ID, parseObject } from './foreign-upload.ts'
import { readInfo } from './read-info.ts'
import type { Candidate } from './scan.ts'
import { parseTusd } from './tusd.ts'

/** An upload of another server with its data file. */
export interface Understood {
  readonly upload: ForeignUpload
  readonly data: DataFile
  /** When its description was written, Unix time in milliseconds. */
  readonly describedAtMs: number
}

/** `undefined` facts: there is no such file. */
interface DataFile {
  readonly path: string
  readonly facts: DataFacts | undefined
}

export interface DataFacts {
  readonly sizeBytes: number
  readonly device: number
  readonly inode: number
  readonly changedAtMs: number
}

/**
 * Reads a description and looks at its data file.
 *
 * @returns `undefined` for a file that describes no upload: people keep JSON files for many reasons.
 */
export async function understand(
  candidate: Candidate,
  from: string,
): Promise<Parsed<Understood> | undefined> {
  const { kind, name, path } = candidate
  const info = await readInfo(path)
  const object = info.ok ? parseObject(info.value.text) : info
  if (kind === 'file-store') {
    const namesItself = object.ok && object.value['id'] === name
    const looksLikeOne =
      parseUploadId(name) !== undefined && (await dataFacts(join(from, name))) !== undefined
    if (!namesItself && !looksLikeOne) return undefined
  }
  const id = parseUploadId(name)
  if (id === undefined) return failure(FOREIGN_ID)
  if (!info.ok) return info
  if (!object.ok) return object
  const upload = kind === 'tusd' ? parseTusd(object.value, id, from) : parseFileStore(object.value, id)
  if (!upload.ok) return upload
  const data = await locate(from, upload.value.dataPath)
  if (!data.ok) return data
  return success({ upload: upload.value, data: data.value, describedAtMs: info.value.changedAtMs })
}

async function locate(from: string, dataPath: string): Promise<Parsed<DataFile>> {
  const path = join(from, dataPath)
  const facts = await dataFacts(path)
  if (facts === undefined) return success({ path, facts })
  if (facts === 'no-plain-file') return failure('its data file is no plain file')
  const directory = dirname(path)
  // A link on the way could lead anywhere, or to the data of another upload.
  if ((await realpath(directory)) !== directory) return failure('a symbolic link leads to its data file')
  return success({ path, facts })
}

/** Facts of a file, now. */
export async function dataFacts(path: string): Promise<DataFacts | 'no-plain-file' | undefined> {
  const stats = await lstat(path).catch((): undefined => undefined)
  return stats === undefined ? undefined : stats.isFile() ? factsOf(stats) : 'no-plain-file'
}

function factsOf({ size, dev, ino, mtimeMs }: Stats): DataFacts {
  return { sizeBytes: size, device: dev, inode: ino, changedAtMs: Math.floor(mtimeMs) }
}
