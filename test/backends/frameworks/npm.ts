import { Child } from './child.ts'

const INSTALL_MS = 180_000

const FLAGS = [
  // What has been downloaded once is not asked for again.
  '--prefer-offline',
  // Nothing needs them here, and newer versions of npm do not run them unasked.
  '--ignore-scripts',
  // Packages below the frameworks name newer versions of Node, and run on this one: building and serving tells.
  '--engine-strict=false',
  '--fetch-retries=1',
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=5000',
  '--loglevel=error',
]

/** The codes that npm ends with when it cannot reach the registry, or is turned away by it. */
const NO_WAY_THERE =
  /^npm error code (?:EAI_AGAIN|ENOTFOUND|ECONN\w+|E\w*TIMEDOUT|E\w*TIMEOUT|E(?:NET|HOST)UNREACH|EPROTO|E40[13]|E429|E5\d\d|ERR_SOCKET\w*)$/m

/** The codes for a package that the registry does not have, or that refuses this system. */
const NO_PACKAGE = /^npm error code (?:E404|ETARGET|ENOTCACHED|ENOVERSIONS|EBADENGINE|EBADPLATFORM)$/m

/** Why the registry could not be reached: it is not waited for a second time. */
let unreachable: string | undefined

/**
 * Installs what the `package.json` in a directory names.
 *
 * @returns The reason where this machine or the registry does not allow it.
 * @throws when it fails for any other reason.
 */
export async function npmInstall(dir: string): Promise<string | undefined> {
  if (unreachable !== undefined) return unreachable
  const args = ['install', '--prefix', dir, ...FLAGS]
  const child = new Child({ program: 'npm', args, cwd: dir, env: process.env })
  const code = await child.run(INSTALL_MS)
  if (code === 0) return undefined
  if (code === undefined) return `npm install did not end within ${INSTALL_MS / 1000} s`
  const reason = `npm install: ${gist(child.output)}`
  if (NO_PACKAGE.test(child.output)) return reason
  if (!NO_WAY_THERE.test(child.output)) throw new Error(`npm install ended with ${code}:\n${child.output}`)
  unreachable = reason
  return reason
}

/** What npm says, without its stack traces. */
function gist(output: string): string {
  const lines = output
    .split('\n')
    .filter((line) => line.startsWith('npm error') && !/^npm error\s+at /.test(line))
  return lines.slice(0, 5).join('\n')
}
