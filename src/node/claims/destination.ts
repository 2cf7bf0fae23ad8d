import { basename, dirname, resolve } from 'node:path'
import { cleanFileName } from '../../core/safe-name.ts'
import type { Destination } from './types.ts'

/** Where a file goes: an absolute folder and the name wished for. */
export interface Place {
  readonly dir: string
  readonly name: string
}

interface Naming {
  readonly id: string
  /** A safe name, for where none is given. */
  readonly filename: string
  readonly unsafeName: boolean
}

const SEPARATORS = process.platform === 'win32' ? /[/\\]/ : /\//
// Windows takes dots and spaces at the end away.
const CLIMBING = /^\.\.[. ]*$/

/**
 * Where to save. Unless told otherwise the last part becomes one safe file name, and a path that climbs behind a folder
 * is refused: that is what a client's value does in a path that was put together as text.
 *
 * @throws {RangeError} for such a path, and for one that is empty or holds a NUL.
 */
export function placeOf(destination: Destination, naming: Naming): Place {
  const { unsafeName } = naming
  if (typeof destination !== 'string') {
    const dir = resolve(unsafeName ? destination.dir : unclimbing(destination.dir))
    const name = destination.name ?? naming.filename
    return { dir, name: unsafeName ? plainName(name) : safeName(name, naming) }
  }
  if (destination === '') throw new RangeError('The path to save to is empty.')
  if (unsafeName) {
    const path = resolve(destination)
    return { dir: dirname(path), name: plainName(basename(path)) }
  }
  const parts = destination.split(SEPARATORS)
  const last = parts.at(-1) ?? ''
  const head = destination.slice(0, destination.length - last.length)
  return { dir: resolve(unclimbing(head)), name: last === '' ? naming.filename : safeName(last, naming) }
}

function safeName(name: string, { id }: Naming): string {
  return cleanFileName(name) ?? id
}

function plainName(name: string): string {
  const isPlain = name !== '' && name !== '.' && name !== '..' && !name.includes('\0')
  if (!isPlain || name.split(SEPARATORS).length > 1)
    throw new RangeError('The name to save under is not a file name.')
  return name
}

function unclimbing(dir: string): string {
  let isInside = false
  for (const part of dir.split(SEPARATORS)) {
    if (part === '' || part === '.') continue
    const climbs = CLIMBING.test(part)
    if ((climbs && isInside) || part.includes('\0')) {
      throw new RangeError(
        'The path to save to climbs with ".." behind a folder. Resolve it first, or say unsafeName: true if nothing in it comes from a client.',
      )
    }
    isInside ||= !climbs
  }
  return dir
}
