import picomatch from 'picomatch'

/** Whether a path is left out. */
export type Exclude = (path: string, isFolder: boolean) => boolean

/**
 * Patterns of `--exclude`. One without a slash fits the name of a file or folder at any depth; one with a slash fits
 * the path below the folder that was given, with or without that folder's name. A slash at the end: folders only.
 *
 * @returns A test for paths written with `/`, the given folder's name in front.
 */
export function makeExclude(patterns: readonly string[]): Exclude {
  const tests = patterns.map(compile)
  return (path, isFolder) => tests.some((test) => test(path, isFolder))
}

function compile(pattern: string): Exclude {
  const foldersOnly = pattern.endsWith('/')
  const bare = pattern.replace(/\/+$/, '').replace(/^\.?\//, '')
  const fits = picomatch(bare, { dot: true })
  const test = bare.includes('/')
    ? (path: string): boolean => fits(path) || fits(path.slice(path.indexOf('/') + 1))
    : (path: string): boolean => fits(path.slice(path.lastIndexOf('/') + 1))
  return (path, isFolder) => (isFolder || !foldersOnly) && test(path)
}
