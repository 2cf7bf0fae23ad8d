import type { Declare } from './program.ts'
import { addSettings, readSettings } from './settings.ts'
import type { CallConfig } from './upload/call-settings.ts'
import { callSchema, callSettings } from './upload/call-settings.ts'
import { serverUrl } from './upload/server-url.ts'

const EXPLANATION = `
One that is not there any more counts as deleted, so that it can be repeated.

Exit codes: 0 done, 2 wrong usage, 3 refused by the server, 4 not reached.`

/** `carryon delete URL…`. */
export const declare: Declare = (command) => {
  command
    .description('Removes uploads, complete or not, from their server.')
    .argument('<URL...>', 'the uploads')
  addSettings(command, callSettings)
  command.addHelpText('after', EXPLANATION)
  command.action(async (typed: readonly string[]) => {
    const urls = typed.map((url) => serverUrl(url, 'every argument must be an http or https URL'))
    const config = readSettings(command, callSchema, callSettings, process.env)
    const { asCliError, withCaller } = await import('./upload/call.ts')
    const { terminate } = await import('../client/calls.ts')
    await withCaller(config, async ({ platform, options }) => {
      for (const url of urls) {
        await terminate(platform, url, options).catch((error: unknown) => {
          throw asCliError(error, urls.length > 1 ? url : undefined)
        })
        await forget(url, config)
        if (config.json) process.stdout.write(`${JSON.stringify({ event: 'deleted', url })}\n`)
        else process.stderr.write(`deleted ${url}\n`)
      }
    })
  })
}

/** What is gone cannot be gone on with. A storage that fails is no reason to say it was not deleted. */
async function forget(url: string, config: CallConfig): Promise<void> {
  const { openState, statePath } = await import('./upload/state.ts')
  const path = statePath(config.state, process.env)
  const { existsSync } = await import('node:fs')
  if (!existsSync(path)) return
  const storage = await openState(path)
  try {
    for (const entry of await storage.list()) if (entry.url === url) await storage.remove(entry.key)
  } catch {
    // It will find out by itself: the server answers 404.
  } finally {
    await storage.close?.()
  }
}
