import { readFile } from 'node:fs/promises'
import { text as textOf } from 'node:stream/consumers'
import { troubleError } from '../cli-error.ts'
import { describeError } from '../one-line.ts'
import { displayName } from './display-name.ts'

/**
 * Reads the paths of `--from-file`: one a line, or, where the list holds NUL characters as `find -print0` writes them,
 * a NUL after each, so that names with newlines can be told. Empty ones are skipped.
 *
 * @param list - A path; `-` for standard input.
 * @throws {CliError} when it cannot be read.
 */
export async function readList(list: string): Promise<readonly string[]> {
  const content = await (list === '-' ? textOf(process.stdin) : readFile(list, 'utf8')).catch(
    (error: unknown): never => {
      throw troubleError(`cannot read the list ${displayName(list)}: ${describeError(error)}`, error)
    },
  )
  const paths = content.includes('\0') ? content.split('\0') : content.split(/\r?\n/)
  return paths.filter((path) => path !== '')
}
