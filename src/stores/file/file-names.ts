import { randomBytes } from 'node:crypto'

/*
 * Names of our own files. They are made of ids only, and an id holds no dot: so nothing a client sends reaches a path,
 * and no foreign file (the catalog's database, for one) is ever taken for ours.
 */
const ID = '[A-Za-z0-9_-]{22,64}'
const SEGMENT = new RegExp(`^(${ID})(?:\\.\\d{1,15}-[0-9a-f]{12})?$`)
const TEMPORARY = new RegExp(`^\\.(${ID})\\.tmp$`)

/** The plain name of an upload's first file. */
export function firstFile(id: string): string {
  return id
}

/** Another file of an upload. Random, so that no two processes ever pick the same one. */
export function furtherFile(id: string, index: number): string {
  return `${id}.${index}-${randomBytes(6).toString('hex')}`
}

/** Where an upload is written out before it gets its final name. */
export function temporaryFile(id: string): string {
  return `.${id}.tmp`
}

export function isSegmentFile(name: string): boolean {
  return SEGMENT.test(name)
}

/** The upload a file belongs to; `undefined` for a file that is not ours. */
export function ownerOf(name: string): string | undefined {
  return (SEGMENT.exec(name) ?? TEMPORARY.exec(name))?.[1]
}

export function isTemporaryFile(name: string): boolean {
  return TEMPORARY.test(name)
}
