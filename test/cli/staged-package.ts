import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The package as it is installed, built of the present sources: never an old `dist`. */
export interface StagedPackage {
  readonly dir: string
  readonly bin: string
  remove(): void
}

/** @param build - False: as it lies in a fresh clone. */
export function stagePackage(build = true): StagedPackage {
  const dir = temporaryDirectory()
  cpSync(join(root, 'package.json'), join(dir, 'package.json'))
  cpSync(join(root, 'bin'), join(dir, 'bin'), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  const outDir = join(dir, 'dist')
  if (build) {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    // Types are checked elsewhere; here it counts that there is something to run.
    const built = spawnSync(process.execPath, [
      tsc,
      '-p',
      join(root, 'tsconfig.build.json'),
      '--outDir',
      outDir,
    ])
    const bundle = join(dir, 'scripts', 'bundle.mjs')
    cpSync(join(root, 'scripts', 'bundle.mjs'), bundle)
    const bundled = spawnSync(process.execPath, [bundle])
    if (!existsSync(join(outDir, 'command', 'main.js')))
      throw new Error(`no build: ${String(built.stdout)}${String(bundled.stderr)}`)
  }
  const remove = (): void => rmSync(dir, { recursive: true, force: true })
  return { dir, bin: join(dir, 'bin', 'carryon.cjs'), remove }
}

/** A new directory that other users may look into, but not write. */
export function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'carryon-cli-'))
  chmodSync(dir, 0o755)
  return dir
}
