import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { failure, success } from '../../protocol/parsed.ts'
import type { Parsed } from '../../protocol/parsed.ts'

/** More than any request can bring: HTTP servers take header fields of 1 MiB at most. */
const MAX_INFO_BYTES = 1024 * 1024
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** A small text file, as it was at one moment. */
export interface InfoText {
  readonly text: string
  readonly changedAtMs: number
}

/** Reads what another server has written of an upload. Follows no link, waits for no pipe, holds at most 1 MiB. */
export async function readInfo(path: string): Promise<Parsed<InfoText>> {
  const file = await open(path, READ).catch((error: unknown) => failureOf(error))
  if ('ok' in file) return file
  try {
    const facts = await file.stat()
    if (!facts.isFile()) return failure('it is not a plain file')
    if (facts.size > MAX_INFO_BYTES) return failure('it is larger than 1 MiB')
    const bytes = Buffer.alloc(facts.size)
    const { bytesRead } = await file.read(bytes, 0, facts.size, 0)
    return success({ text: bytes.toString('utf8', 0, bytesRead), changedAtMs: Math.floor(facts.mtimeMs) })
  } catch (error) {
    return failureOf(error)
  } finally {
    await file.close()
  }
}

function failureOf(error: unknown): Parsed<never> {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  return failure(code === 'ELOOP' ? 'it is a symbolic link' : `it cannot be read (${code})`)
}
