import { constants } from 'node:fs'
import { link, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { UploadError } from '../../core/errors.ts'
import { numberedName } from '../../stores/file/final-name.ts'
import type { Place } from './destination.ts'
import type { Folders } from './files.ts'
import { errorCode, unlinkIfThere } from './files.ts'
import type { UploadFacts } from './types.ts'

const MODE = 0o600
/** A record is small. Whatever is larger is something else, and is not read into memory. */
const MAX_BYTES = 4 * 1024 * 1024
const MAX_NAMES = 100

const date = z.iso.datetime().transform((text) => new Date(text))
const count = z.int().nonnegative()
const recordSchema = z.object({
  id: z.string().min(1),
  metadata: z.record(z.string(), z.string()),
  serverMetadata: z.record(z.string(), z.json()),
  owner: z.string().optional(),
  length: count,
  createdAt: date,
  lastWriteAt: date,
  finishedAt: date,
  durationMs: count,
  digest: z
    .object({ algorithm: z.enum(['md5', 'sha1', 'sha256', 'sha512']), hex: z.string().regex(/^[0-9a-f]+$/) })
    .optional(),
})

interface RecordPlace extends Place {
  readonly attempt: number
}

/**
 * Writes a record, whole or not at all. An older record of the same upload is replaced; any other file of that name is
 * somebody's upload, for all we know, so the next free name is taken.
 */
export async function saveRecordFile(
  facts: UploadFacts,
  place: RecordPlace,
  folders: Folders,
): Promise<string> {
  const { dir, name, attempt } = place
  await folders.make(dir)
  const temporary = join(dir, `.carryon-${facts.id}.${attempt}.json.part`)
  await unlinkIfThere(temporary)
  try {
    await writeNew(temporary, `${JSON.stringify(facts, undefined, 2)}\n`, folders.durable)
    const path = await putInPlace(temporary, { dir, name }, facts.id)
    await folders.sync(dir)
    return path
  } finally {
    await unlinkIfThere(temporary)
  }
}

async function putInPlace(temporary: string, { dir, name }: Place, id: string): Promise<string> {
  for (let number = 1; number <= MAX_NAMES + 1; number += 1) {
    const path = join(dir, numberedName(name, number <= MAX_NAMES ? number : id))
    try {
      await link(temporary, path)
      return path
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
    }
    if ((await idIn(path)) !== id) continue
    await rename(temporary, path)
    return path
  }
  throw new Error('No free name was found for the record.')
}

async function idIn(path: string): Promise<string | undefined> {
  return readRecord(path).then(
    ({ id }) => id,
    () => undefined,
  )
}

async function writeNew(path: string, text: string, durable: boolean): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, MODE)
  try {
    await file.writeFile(text)
    if (durable) await file.sync()
  } finally {
    await file.close()
  }
}

/** Reads what `saveRecord` has written. */
export async function readRecord(path: string): Promise<UploadFacts> {
  const text = await readSmall(path)
  try {
    const { owner, digest, ...facts } = recordSchema.parse(JSON.parse(text))
    return { ...facts, owner, ...(digest === undefined ? {} : { digest }) }
  } catch (error) {
    throw notARecord(path, error)
  }
}

async function readSmall(path: string): Promise<string> {
  // A named pipe would wait for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const facts = await file.stat()
    if (!facts.isFile() || facts.size > MAX_BYTES) throw notARecord(path)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

function notARecord(path: string, cause?: unknown): UploadError {
  const why = cause instanceof z.ZodError ? `: ${z.prettifyError(cause)}` : '.'
  const reason = `${path} is not the record of an upload${why}`
  return new UploadError('ERR_CORRUPT_RECORD', { reason }, { cause })
}
