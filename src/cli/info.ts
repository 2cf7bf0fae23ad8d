import type { UploadInfo } from '../client/calls.ts'
import type { Capabilities } from '../client/capabilities.ts'
import type { Declare } from './program.ts'
import { addSettings, readSettings } from './settings.ts'
import { callSchema, callSettings } from './upload/call-settings.ts'
import type { Caller } from './upload/call.ts'
import { serverUrl } from './upload/server-url.ts'

const EXPLANATION = `
For the URL of an upload: how much of it the server has. For the URL where
uploads are created: what the server can do.

Exit codes: 0 done, 2 wrong usage, 3 refused or no tus server, 4 not reached.`

/** `carryon info URL`. */
export const declare: Declare = (command) => {
  command
    .description('Shows what a server has of an upload, and what it can do.')
    .argument('<URL>', 'an upload, or where uploads are created')
  addSettings(command, callSettings)
  command.addHelpText('after', EXPLANATION)
  command.action(async (typed: string) => {
    const url = serverUrl(typed, 'the argument must be an http or https URL')
    const config = readSettings(command, callSchema, callSettings, process.env)
    const { withCaller } = await import('./upload/call.ts')
    const { infoLines, infoObject } = await import('./upload/info-text.ts')
    const found = await withCaller(config, (caller) => ask(caller, url))
    if (config.json) process.stdout.write(`${JSON.stringify(infoObject(found))}\n`)
    else process.stdout.write(infoLines(found).join('\n').concat('\n'))
  })
}

/** What can be found out about an address. */
export interface Found {
  readonly url: string
  /** `undefined`: the address is not an upload, but a place for them. */
  readonly upload: UploadInfo | undefined
  readonly server: Capabilities | undefined
}

async function ask({ platform, options }: Caller, url: string): Promise<Found> {
  const { getOffset, serverInfo } = await import('../client/calls.ts')
  const server = (at: string): Promise<Capabilities | undefined> =>
    serverInfo(platform, at, { ...options, shouldRetry: () => false }).catch(() => undefined)
  const above = new URL('.', url).href
  try {
    const upload = await getOffset(platform, url, options)
    return { url, upload, server: (await server(above)) ?? (await server(url)) }
  } catch (error) {
    const found = await server(url)
    // Servers answer OPTIONS for uploads that are gone, too: below a place of uploads this was meant to be one.
    if (found === undefined || (above !== url && (await server(above)) !== undefined)) throw error
    return { url, upload: undefined, server: found }
  }
}
