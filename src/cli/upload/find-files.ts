import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { usageError } from '../cli-error.ts'
import { displayName } from './display-name.ts'
import { makeExclude } from './exclude.ts'
import { readList } from './list-file.ts'
import type { FilesConfig } from './settings.ts'
import { walkFolder } from './walk-folder.ts'

/** One thing to upload, or the reason why it cannot be. */
export type Found = FoundFile | FoundStream | FoundRandom | Unusable

export interface FoundFile {
  readonly kind: 'file'
  /** As people know it: as it was given, or below the folder that was given. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  readonly sizeBytes: number
  /** Path below a folder that was given, that folder's name in front, with `/`. */
  readonly relativePath?: string
}

/** Standard input, a named pipe, a device: read once, from the beginning. */
interface FoundStream {
  readonly kind: 'stream'
  readonly name: string
  /** `-`: standard input. */
  readonly path: string
}

interface FoundRandom {
  readonly kind: 'random'
  readonly name: string
  readonly sizeBytes: number
}

export interface Unusable {
  readonly kind: 'unusable'
  readonly name: string
  readonly error: unknown
}

export interface Findings {
  readonly items: readonly Found[]
  /** What was passed over, in words, once each. */
  readonly notes: readonly string[]
}

/**
 * Expands the arguments of `upload`: files, folders with everything in them (hidden files too), `-`, lists.
 *
 * The order is that of the arguments, in folders by name. A path that is named twice is taken once. What cannot be
 * read is an item too, so that it fails alone.
 *
 * @throws {CliError} a usage error for a folder where folders are refused, or for standard input used twice.
 */
export async function findFiles(paths: readonly string[], config: FilesConfig): Promise<Findings> {
  const all = await withLists(paths, config.fromFile)
  const collected = new Collected(config)
  for (const path of all) await collected.add(path)
  if (config.randomBytes !== undefined)
    collected.items.push({ kind: 'random', name: 'random.bin', sizeBytes: config.randomBytes })
  return { items: collected.items, notes: collected.notes() }
}

async function withLists(paths: readonly string[], lists: readonly string[]): Promise<readonly string[]> {
  if ([...paths, ...lists].filter((path) => path === '-').length > 1)
    throw usageError('standard input (-) can be used only once')
  const all = [...paths]
  // Not spread into push: a list may be longer than a call takes arguments.
  for (const list of lists) for (const path of await readList(list)) all.push(path)
  if (lists.includes('-') && all.includes('-'))
    throw usageError('standard input (-) is the list, it cannot be uploaded too')
  return all
}

class Collected {
  readonly items: Found[] = []
  readonly #config: FilesConfig
  readonly #isExcluded: ReturnType<typeof makeExclude>
  readonly #seen = new Set<string>()
  readonly #passed = { link: 0, circle: 0, special: 0 }
  #twice = 0

  constructor(config: FilesConfig) {
    this.#config = config
    this.#isExcluded = makeExclude(config.exclude)
  }

  async add(given: string): Promise<void> {
    if (given === '-') return void this.items.push({ kind: 'stream', name: 'standard input', path: '-' })
    const path = resolve(given)
    let stats: Stats
    try {
      stats = await stat(path)
    } catch (error) {
      return void this.items.push({ kind: 'unusable', name: given, error })
    }
    if (this.#isExcluded(basename(path), stats.isDirectory())) return
    if (stats.isDirectory()) return this.#addFolder(given, path)
    if (stats.isSocket()) {
      const error = new Error('it is a socket, not a file')
      return void this.items.push({ kind: 'unusable', name: given, error })
    }
    if (this.#isNew(path))
      this.items.push(
        stats.isFile()
          ? { kind: 'file', name: given, path, sizeBytes: stats.size }
          : { kind: 'stream', name: given, path },
      )
  }

  notes(): readonly string[] {
    const { link, circle, special } = this.#passed
    const notes: string[] = []
    if (link > 0)
      notes.push(`passed over ${count(link, 'symbolic link')}; --symlinks follow uploads what they lead to`)
    if (circle > 0) notes.push(`passed over ${count(circle, 'symbolic link')} back to a folder above`)
    if (special > 0)
      notes.push(`passed over ${count(special, 'pipe, socket or device', 'pipes, sockets or devices')}`)
    if (this.#twice > 0) notes.push(`${count(this.#twice, 'file')} named more than once, uploaded once`)
    return notes
  }

  async #addFolder(given: string, path: string): Promise<void> {
    if (!this.#config.recursive)
      throw usageError(`${displayName(given)} is a folder; leave out --no-recursive to upload what is in it`)
    const { symlinks } = this.#config
    const found = walkFolder(path, { given, symlinks, isExcluded: this.#isExcluded })
    for await (const entry of found) {
      switch (entry.kind) {
        case 'link':
        case 'circle':
        case 'special':
          this.#passed[entry.kind] += 1
          break
        case 'unusable':
          this.items.push(entry)
          break
        case 'file':
          if (this.#isNew(entry.path)) this.items.push(entry)
          break
      }
    }
  }

  #isNew(path: string): boolean {
    if (this.#seen.has(path)) {
      this.#twice += 1
      return false
    }
    this.#seen.add(path)
    return true
  }
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
