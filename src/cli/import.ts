import { resolve } from 'node:path'
import type { Command } from 'commander'
import { Option } from 'commander'
import * as z from 'zod'
import type { ImportEvent, ImportOptions, ImportTotals } from '../node/import/index.ts'
import { ImportRefused, importUploads } from '../node/import/index.ts'
import type { CliError } from './cli-error.ts'
import { troubleError } from './cli-error.ts'
import { completedDirectory, completedDirectorySetting, directorySetting } from './directories.ts'
import { describeError, oneLine } from './one-line.ts'
import type { Declare } from './program.ts'
import { basePath, completedName, expireAfter } from './server-setting-types.ts'
import { oneOf } from './setting-types.ts'
import type { SettingsShape } from './settings.ts'
import { addSettings, optionalSetting, readSettings, setting } from './settings.ts'
import { startTrouble } from './start-trouble.ts'
import { formatSize } from './units.ts'

type ImportConfig = Pick<
  ImportOptions,
  'completedDir' | 'completedName' | 'dir' | 'expireAfterMs' | 'kind' | 'path'
>

/** Flags that say how; none of them belongs into the environment. */
interface Flags {
  readonly from: string
  readonly move?: true
  readonly copy?: true
  readonly onlyUnfinished?: true
  readonly dryRun?: true
  readonly force?: true
  readonly json?: true
}

const EXPLANATION = `
Stop the old server, import, start carryon serve with the same path: clients
that were in the middle go on under the URLs they know. Files of the old
directory stay as they are, but for --move. Run it again when it was
interrupted. A server may be running on --dir meanwhile.

Exit codes: 0 done, 1 something was not taken over, 2 wrong usage.`

const group = 'Options:'

const shape = {
  dir: directorySetting(group),
  completedDir: completedDirectorySetting(group),
  completedName: setting(completedName, {
    group,
    placeholder: 'NAME',
    default: '{id}',
    description: 'name of a finished file, as for serve',
  }),
  path: setting(basePath, {
    group,
    placeholder: 'PATH',
    default: '/files/',
    description: 'path to which uploads are sent, as for serve',
  }),
  expireAfter: optionalSetting(expireAfter, {
    group,
    placeholder: 'TIME',
    defaultIs: 'never',
    description: 'unfinished uploads that do not go on are removed this long after now',
  }),
  kind: setting(oneOf(['auto', 'tusd', 'file-store']), {
    group,
    placeholder: 'KIND',
    default: 'auto',
    description: 'whose files to look for: tusd (.info) or file-store, that of @tus/server (.json)',
  }),
}

const settings: SettingsShape = shape

const schema: z.ZodType<ImportConfig> = z.object(shape).transform((given): ImportConfig => {
  const dir = resolve(given.dir)
  return {
    dir,
    completedDir: completedDirectory(dir, given.completedDir),
    completedName: given.completedName,
    path: given.path,
    expireAfterMs: given.expireAfter?.ms,
    kind: given.kind === 'auto' ? undefined : given.kind,
  }
})

/** `carryon import`: takes over the directory of another tus server. */
export const declare: Declare = (command, finish) => {
  command.description('Takes over the uploads of tusd or @tus/server, those in flight included.')
  addFlags(command)
  addSettings(command, settings)
  command.addHelpText('after', EXPLANATION)
  command.action(async (flags: Flags) => {
    const config = readSettings(command, schema, settings, process.env)
    const tell = flags.json === true ? jsonLines : textLines(flags.dryRun === true)
    const totals = await importUploads({
      ...config,
      from: resolve(flags.from),
      how: flags.move === true ? 'move' : flags.copy === true ? 'copy' : 'link',
      onlyUnfinished: flags.onlyUnfinished === true,
      dryRun: flags.dryRun === true,
      force: flags.force === true,
      onEvent: (event) => tell.event(event),
    }).catch((error: unknown) => {
      throw trouble(error, config.dir)
    })
    tell.total(totals)
    finish(totals.failed === 0 ? 0 : 1)
  })
}

function addFlags(command: Command): void {
  const options = [
    new Option('--from <DIR>', 'directory of the old server').makeOptionMandatory(),
    new Option('--link', 'give the old files a second name; copy across file systems (default)').conflicts([
      'move',
      'copy',
    ]),
    new Option('--copy', 'copy the old files').conflicts(['move', 'link']),
    new Option('--move', 'remove what was taken over from the old directory').conflicts(['copy', 'link']),
    new Option('--include-complete', 'take complete uploads over, too (default)').conflicts('onlyUnfinished'),
    new Option('--only-unfinished', 'leave complete uploads where they are'),
    new Option('--force', 'go on although a lock says that tusd is running'),
    new Option('--dry-run', 'only tell what would be taken over'),
    new Option('--json', 'print JSON lines'),
  ]
  for (const option of options) command.addOption(option.helpGroup(group))
}

function trouble(error: unknown, dir: string): CliError {
  if (!(error instanceof ImportRefused)) return startTrouble(error, { uploads: { dir } })
  const hint = error.why === 'locked' ? '; if that is no tusd, go on with --force' : ''
  return troubleError(describeError(error) + hint, error)
}

/** How the findings are printed. */
interface Tell {
  event(event: ImportEvent): void
  total(totals: ImportTotals): void
}

function textLines(dryRun: boolean): Tell {
  const verb = dryRun ? 'would import' : 'imported'
  return {
    event(event) {
      const name = oneLine(event.name)
      if (event.kind === 'failed') {
        process.stderr.write(`carryon: ${name}: ${withCause(event)}\n`)
      } else if (event.kind === 'imported') {
        print(`${verb} ${name} (${extent(event)})`)
      } else if (event.why !== 'complete') {
        // One that nobody asked for needs no line; the last line counts them.
        print(`skipped ${name}: ${event.reason}`)
      }
    },
    total({ imported, unfinished, skipped, failed }) {
      if (imported + skipped + failed === 0) return print('nothing to import')
      const uploads = imported === 1 ? '1 upload' : `${imported} uploads`
      const others = `${skipped} skipped, ${failed} not taken over`
      print(`${verb} ${uploads}, ${unfinished} of them unfinished; ${others}`)
    },
  }
}

const jsonLines: Tell = {
  event: (event) =>
    print(
      JSON.stringify(
        event.kind === 'failed' ? { ...event, cause: undefined, reason: withCause(event) } : event,
      ),
    ),
  total: (totals) => print(JSON.stringify({ kind: 'total', ...totals })),
}

function withCause({ reason, cause }: Extract<ImportEvent, { kind: 'failed' }>): string {
  return cause === undefined ? reason : `${reason}: ${describeError(cause)}`
}

function extent({ offset, length, isComplete }: Extract<ImportEvent, { kind: 'imported' }>): string {
  if (isComplete) return `${formatSize(offset)}, complete`
  return length === undefined
    ? `${formatSize(offset)} so far`
    : `${formatSize(offset)} of ${formatSize(length)}`
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
