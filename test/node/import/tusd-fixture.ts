import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** What tusd 2 keeps of an upload; what is left out is as tusd writes it for a plain one. */
export interface TusdUpload {
  readonly id?: string
  /** `undefined`: deferred. */
  readonly size?: number | undefined
  readonly data?: Uint8Array
  readonly metadata?: Readonly<Record<string, string>>
  readonly isPartial?: boolean
  readonly parts?: readonly string[]
  /** Members of the `.info` that are to be otherwise. */
  readonly info?: Readonly<Record<string, unknown>>
}

/** An id as tusd makes them: 16 random bytes in hexadecimal. */
export function tusdId(): string {
  return randomBytes(16).toString('hex')
}

/** The text of an `.info`, members in the order of tusd. `Offset` is 0 for ever. */
export function tusdInfo(uploadDir: string, id: string, upload: TusdUpload): string {
  return JSON.stringify({
    ID: id,
    Size: upload.size ?? 0,
    SizeIsDeferred: upload.size === undefined,
    Offset: 0,
    MetaData: upload.metadata ?? {},
    IsPartial: upload.isPartial ?? false,
    IsFinal: upload.parts !== undefined,
    PartialUploads: upload.parts ?? null,
    Storage: { InfoPath: join(uploadDir, `${id}.info`), Path: join(uploadDir, id), Type: 'filestore' },
    ...upload.info,
  })
}

/** Writes the two files of an upload as tusd does that was started with `-upload-dir=./data`. @returns Its id. */
export async function writeTusd(dir: string, upload: TusdUpload): Promise<string> {
  const id = upload.id ?? tusdId()
  await mkdir(dirname(join(dir, id)), { recursive: true })
  if (upload.data !== undefined) await writeFile(join(dir, id), upload.data, { mode: 0o664 })
  await writeFile(join(dir, `${id}.info`), tusdInfo('data', id, upload), { mode: 0o664 })
  return id
}
