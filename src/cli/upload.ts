import { Option } from 'commander'
import { usageError } from './cli-error.ts'
import type { Declare } from './program.ts'
import { addSettings, readSettings } from './settings.ts'
import { exitCodeHelp } from './upload/exit-codes.ts'
import { looksLikeUrl, serverUrl } from './upload/server-url.ts'
import { uploadSchema, uploadSettings } from './upload/settings.ts'

const EXPLANATION = `
What was interrupted goes on: run the same command again, even after kill -9.
Ctrl-C stops in order, twice at once. The URL of each upload is printed on
standard output, everything else on standard error. Every option can also be set
by the environment variable named with it; if both are there, the option counts.

Exit codes:
${exitCodeHelp()}

Examples:
  carryon upload big.iso https://files.example/files/
  carryon upload photos/ --jobs 8 --exclude "*.tmp" https://files.example/files/
  tar c home | carryon upload - --metadata filename=home.tar https://files.example/files/`

/** `carryon upload FILE… DIR… - URL`. */
export const declare: Declare = (command, finish) => {
  command
    .description('Uploads files and folders (tus 1.0), and goes on where it was after any interruption.')
    .usage('[options] <FILE|DIR|->... <URL>')
    .argument(
      '[PATHS...]',
      'files, folders, - for standard input; the last is the URL where uploads are created',
    )
  addSettings(command, uploadSettings)
  command.addHelpOption(new Option('-h, --help', 'show this help').helpGroup('Output:'))
  command.addHelpText('after', EXPLANATION)
  command.action(async (words: readonly string[]) => {
    const { paths, endpoint } = target(words)
    const config = readSettings(command, uploadSchema, uploadSettings, process.env)
    const { randomBytes, fromFile } = config.files
    if (paths.length === 0 && randomBytes === undefined && fromFile.length === 0)
      throw usageError('no file to upload; name files or folders before the URL, or - for standard input')
    // Loaded only now: help and complaints about usage come without it.
    const { runUploads } = await import('./upload/run.ts')
    const { keepAlive } = await import('./upload/keep-alive.ts')
    finish(await keepAlive(() => runUploads(paths, endpoint, config)))
  })
}

function target(words: readonly string[]): { readonly paths: readonly string[]; readonly endpoint: string } {
  const last = words.at(-1)
  if (last === undefined) throw usageError('no file and no URL; see carryon upload --help')
  const what = 'the last argument must be the URL where uploads are created, such as https://host/files/'
  const endpoint = serverUrl(last, what)
  const paths = words.slice(0, -1)
  const second = paths.find(looksLikeUrl)
  if (second !== undefined)
    throw usageError('only the last argument is a URL: uploads go to one server at a time')
  return { paths, endpoint }
}
