import type { Declare } from './program.ts'
import { addSettings, readSettings } from './settings.ts'
import { downloadSchema, downloadSettings } from './upload/download-settings.ts'
import { serverUrl } from './upload/server-url.ts'

const EXPLANATION = `
What was interrupted goes on: run the same command again. Until it is complete
the file is called FILE.part. The name of the file is printed on standard output,
everything else on standard error.

Exit codes: 0 done, 1 it cannot be written, 2 wrong usage, 3 refused by the
server, 4 gave up after retries, 130 interrupted.`

/** `carryon download URL [-o FILE]`. */
export const declare: Declare = (command, finish) => {
  command
    .description('Downloads a complete upload, and goes on where it was after any interruption.')
    .argument('<URL>', 'the upload')
  addSettings(command, downloadSettings)
  command.addHelpText('after', EXPLANATION)
  command.action(async (typed: string) => {
    const url = serverUrl(typed, 'the argument must be an http or https URL')
    const config = readSettings(command, downloadSchema, downloadSettings, process.env)
    const { runDownload } = await import('./upload/run-download.ts')
    finish(await runDownload(url, config))
  })
}
