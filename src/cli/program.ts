import { Command, CommanderError } from 'commander'
import type { ExitCode } from './cli-error.ts'
import { CliError } from './cli-error.ts'
import { describeError, oneLine } from './one-line.ts'
import { packageVersion } from './package-version.ts'

/** A subcommand: what it takes is declared on the command, what it does is its action. */
export type Declare = (
  command: Command,
  finish: (code: ExitCode) => void,
  /** Loads every subcommand, for what tells about all of them. */
  loadAll: () => Promise<readonly Command[]>,
) => void

interface Subcommand {
  readonly summary: string
  /** Loaded only when it is asked for: the others cost nothing. */
  readonly load: () => Promise<{ readonly declare: Declare }>
}

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  upload: { summary: 'upload files and folders', load: () => import('./upload.ts') },
  uploads: { summary: 'show the uploads that can go on', load: () => import('./uploads.ts') },
  info: { summary: 'show what a server has of an upload', load: () => import('./info.ts') },
  download: { summary: 'download a complete upload', load: () => import('./download.ts') },
  delete: { summary: 'remove uploads from their server', load: () => import('./delete.ts') },
  serve: { summary: 'take uploads on a directory', load: () => import('./serve.ts') },
  clean: { summary: 'remove expired uploads and what crashes left behind', load: () => import('./clean.ts') },
  events: {
    summary: 'show events that wait, and bring back those given up',
    load: () => import('./events.ts'),
  },
  import: { summary: 'take over uploads of tusd or @tus/server', load: () => import('./import.ts') },
  conformance: { summary: 'check a tus server against the protocol', load: () => import('./conformance.ts') },
  completion: { summary: 'print completions for a shell', load: () => import('./completion.ts') },
}

/**
 * Runs the command line.
 *
 * @returns The exit code: 0 done, 1 trouble, 2 wrong usage; of transfers more (`docs/cli.md`). Never rejects.
 */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = 0
  const program = newCommand('carryon')
    .description('Resumable uploads that carry on.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .usage('<command> [options]')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText(
      'after',
      '\nStart here: carryon serve, then carryon upload FILE http://127.0.0.1:1080/files/',
    )
  const wanted = argv.find((word) => Object.hasOwn(SUBCOMMANDS, word))
  try {
    for (const [name, { summary, load }] of Object.entries(SUBCOMMANDS)) {
      const command = newCommand(name).summary(summary)
      if (name === wanted) (await load()).declare(command, (given) => (code = given), loadAll)
      program.addCommand(command)
    }
    if (argv.length === 0) {
      process.stderr.write(program.helpInformation())
      return 2
    }
    await program.parseAsync(argv, { from: 'user' })
    return code
  } catch (error) {
    return explain(error, wanted === undefined ? 'carryon' : `carryon ${wanted}`)
  }
}

async function loadAll(): Promise<readonly Command[]> {
  const all = Object.entries(SUBCOMMANDS).map(async ([name, { summary, load }]) => {
    const command = newCommand(name).summary(summary)
    const { declare } = await load()
    declare(command, () => undefined, loadAll)
    return command
  })
  return Promise.all(all)
}

/** A command that throws where commander would print and exit. */
function newCommand(name: string): Command {
  return new Command(name)
    .helpOption('-h, --help', 'show this help')
    .configureOutput({ writeErr: () => undefined })
    .exitOverride()
}

function explain(error: unknown, asked: string): ExitCode {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0
    const message = oneLine(error.message.replace(/^error: /, ''))
    const sentence = message.replace(/\(Did you mean/, '(did you mean').replace(/\.$/, '')
    return say(`${sentence}; see ${asked} --help`, 2)
  }
  if (error instanceof CliError) return say(error.message, error.exitCode)
  return say(describeError(error), 1)
}

function say<T extends ExitCode>(message: string, code: T): T {
  process.stderr.write(`carryon: ${oneLine(message)}\n`)
  return code
}
