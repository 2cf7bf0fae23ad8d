import { Option } from 'commander'
import type { Declare } from './program.ts'
import { serveSchema, serveSettings } from './serve-settings.ts'
import { addSettings, readSettings, unknownVariables } from './settings.ts'
import { downloadSettings } from './upload/download-settings.ts'
import { uploadSettings } from './upload/settings.ts'

const EXPLANATION = `
Every option can also be set by the environment variable named with it; if both
are there, the option counts. Ctrl-C (SIGINT) or SIGTERM stores what has arrived
and stops; a second one stops at once.`

/** `carryon serve`: an upload server on one directory. */
export const declare: Declare = (command) => {
  command.description('Takes resumable uploads (tus 1.0) and keeps them in a directory.')
  addSettings(command, serveSettings)
  command.addHelpOption(new Option('-h, --help', 'show this help').helpGroup('Running:'))
  command.addHelpText('after', EXPLANATION)
  command.action(async () => {
    const config = readSettings(command, serveSchema, serveSettings, process.env)
    // Loaded only now: help and complaints about usage come without it.
    const { serve } = await import('./server.ts')
    // Nothing may outlive this: a connection or a thread that hangs must not keep the process.
    // A user who uploads, too, has variables for that: they are no misspelled limits.
    const known = { ...downloadSettings, ...uploadSettings, ...serveSettings }
    process.exit(await serve(config, unknownVariables(known, process.env)))
  })
}
