import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as z from 'zod'
import type { Swept } from '../core/operations/expire.ts'
import { openUploads } from '../node/index.ts'
import { troubleError } from './cli-error.ts'
import { completedDirectory, completedDirectorySetting, directorySetting } from './directories.ts'
import { describeError, oneLine } from './one-line.ts'
import type { Declare } from './program.ts'
import { readAs } from './setting-types.ts'
import type { SettingsShape } from './settings.ts'
import { addSettings, optionalSetting, readSettings } from './settings.ts'
import { startTrouble } from './start-trouble.ts'
import { DURATION_RULE, formatSize, parseDurationMs } from './units.ts'

interface CleanConfig {
  readonly dir: string
  readonly completedDir: string | false
  readonly completeAfterMs: number | undefined
}

const EXPLANATION = `
It removes unfinished uploads that have expired, traces of uploads that have
been gone for a day, files that no upload needs, and records of uploads whose
bytes are gone; never a file that is not Carryon's, and a finished upload only
where --complete-after says how old one may get. It tells of uploads whose last
step failed and of claims whose worker died: a server takes these up again.
A server may be running meanwhile.`

const group = 'Options:'

const age = readAs(`${DURATION_RULE}, at least 1 minute`, (typed) => {
  const ms = parseDurationMs(typed)
  return ms === undefined || ms < 60_000 ? undefined : ms
})

const shape = {
  dir: directorySetting(group),
  completedDir: completedDirectorySetting(group),
  completeAfter: optionalSetting(age, {
    group,
    placeholder: 'TIME',
    defaultIs: 'never',
    description: 'remove finished uploads older than this too',
  }),
}

const settings: SettingsShape = shape

const schema: z.ZodType<CleanConfig> = z.object(shape).transform((given): CleanConfig => {
  const dir = resolve(given.dir)
  const completedDir = completedDirectory(dir, given.completedDir)
  // A directory that is not there holds nothing to remove, and is not made here.
  const isThere = completedDir !== false && existsSync(completedDir)
  return { dir, completedDir: isThere && completedDir, completeAfterMs: given.completeAfter }
})

/** `carryon clean`: what the reaper of `serve` does, once. */
export const declare: Declare = (command, finish) => {
  command.description('Removes what nobody needs any more from the directory of a server.')
  addSettings(command, settings)
  command.option('--dry-run', 'only tell what would be removed')
  command.option('--json', 'print JSON lines')
  command.addHelpText('after', EXPLANATION)
  command.action(async (options: { readonly dryRun?: true; readonly json?: true }) => {
    const config = readSettings(command, schema, settings, process.env)
    const failures = await clean(
      config,
      options.dryRun === true,
      options.json === true ? jsonLines : textLines,
    )
    finish(failures === 0 ? 0 : 1)
  })
}

/** @returns How many things could not be removed. */
async function clean(config: CleanConfig, dryRun: boolean, tell: Tell): Promise<number> {
  if (!existsSync(join(config.dir, 'carryon.db'))) {
    throw troubleError(
      `there are no uploads in ${config.dir}; name the directory of the server with --dir`,
      undefined,
    )
  }
  let failures = 0
  const report = (error: unknown): void => {
    failures += 1
    process.stderr.write(`carryon: ${describeError(error)}\n`)
  }
  const trouble = (error: unknown): never => {
    throw startTrouble(error, { uploads: config })
  }
  const uploads = await openUploads({ ...config, reap: false, recover: false, report }).catch(trouble)
  const total = { count: 0, sizeBytes: 0 }
  try {
    await uploads.engine.sweep({
      dryRun,
      checkBytes: true,
      completeAfterMs: config.completeAfterMs,
      onSwept(swept) {
        if (KINDS[swept.kind].isRemoved) {
          total.count += 1
          total.sizeBytes += swept.sizeBytes
        }
        tell.swept(swept, dryRun)
      },
    })
  } finally {
    await uploads.close()
  }
  tell.total(total, dryRun)
  return failures
}

/** How the findings are printed. */
interface Tell {
  swept(swept: Swept, dryRun: boolean): void
  total(total: { readonly count: number; readonly sizeBytes: number }, dryRun: boolean): void
}

const KINDS: Readonly<Record<Swept['kind'], { readonly text: string; readonly isRemoved: boolean }>> = {
  expired: { text: 'expired upload', isRemoved: true },
  tombstone: { text: 'trace of a removed upload', isRemoved: true },
  orphan: { text: 'file of no upload', isRemoved: true },
  old: { text: 'old finished upload', isRemoved: true },
  record: { text: 'record of an upload whose bytes are gone', isRemoved: true },
  unfinished: { text: 'found an upload whose last step failed', isRemoved: false },
  claim: { text: 'found a claim whose worker is gone', isRemoved: false },
  'dead-claim': { text: 'found a claim that was given up', isRemoved: false },
}

const textLines: Tell = {
  swept({ kind, name, sizeBytes }, dryRun) {
    const { text, isRemoved } = KINDS[kind]
    const shown = oneLine(name)
    if (isRemoved) print(`${dryRun ? 'would remove' : 'removed'} ${text} ${shown} (${formatSize(sizeBytes)})`)
    else print(`${text}: ${shown}`)
  },
  total({ count, sizeBytes }, dryRun) {
    const things = count === 1 ? '1 thing' : `${count} things`
    if (count === 0) print('nothing to remove')
    else print(`${dryRun ? 'would remove' : 'removed'} ${things}, ${formatSize(sizeBytes)}`)
  },
}

const jsonLines: Tell = {
  swept: ({ kind, name, sizeBytes }, dryRun) => print(JSON.stringify({ kind, name, sizeBytes, dryRun })),
  total: ({ count, sizeBytes }, dryRun) => print(JSON.stringify({ kind: 'total', count, sizeBytes, dryRun })),
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
