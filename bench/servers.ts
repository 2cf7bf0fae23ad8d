import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const script = (name: string): string => join(root, 'bench', 'servers', name)

export type Durability = 'power' | 'process'
/** `store`: content can be read back. `checksum`: Upload-Checksum is verified. */
export type Capability = 'store' | 'checksum'

interface Command {
  file: string
  args: readonly string[]
}

/** A server under test. Add a peer by adding a row to {@link servers}. */
export interface ServerKind {
  readonly name: string
  readonly label: string
  /** Goals are checked for `ours`; ratios are taken against `baseline`. */
  readonly role: 'ours' | 'baseline' | 'peer' | 'reference'
  readonly durability?: Durability
  readonly capabilities: readonly Capability[]
  readonly command: (port: number, directory: string) => Command
  /** Why it cannot run here, or `undefined`. */
  readonly missing: () => string | undefined
}

function carryon(durability: Durability): ServerKind {
  const bin = join(root, 'bin', 'carryon.cjs')
  const serve = ['serve', '--host', '127.0.0.1', '--path', '/files/', '--durability', durability]
  return {
    name: `carryon-${durability}`,
    label: `carryon, ${durability}`,
    role: 'ours',
    durability,
    capabilities: ['store', 'checksum'],
    command: (port, directory) => ({
      file: process.execPath,
      args: [bin, ...serve, '--port', String(port), '--dir', directory],
    }),
    missing: () =>
      existsSync(bin) && existsSync(join(root, 'dist')) ? undefined : 'not built: run `npm run build` first',
  }
}

const tusNode: ServerKind = {
  name: 'tus-node',
  label: '@tus/server + file-store',
  role: 'baseline',
  capabilities: ['store'],
  command: (port, directory) => ({
    file: process.execPath,
    args: [script('tus-node.mjs'), String(port), directory],
  }),
  missing: () => undefined,
}

const bareHttp: ServerKind = {
  name: 'bare-http',
  label: 'bare node:http, stores nothing',
  role: 'reference',
  capabilities: [],
  command: (port) => ({ file: process.execPath, args: [script('bare-http.mjs'), String(port)] }),
  missing: () => undefined,
}

/** A server that is one executable, named by an environment variable. */
function binaryPeer(options: {
  name: string
  variable: string
  args: (port: number, directory: string) => readonly string[]
}): ServerKind {
  const file = process.env[options.variable] ?? ''
  return {
    name: options.name,
    label: options.name,
    role: 'peer',
    capabilities: ['store'],
    command: (port, directory) => ({ file, args: options.args(port, directory) }),
    missing: () => (file !== '' && existsSync(file) ? undefined : `${options.variable} names no executable`),
  }
}

const tusd = binaryPeer({
  name: 'tusd',
  variable: 'TUSD_BIN',
  args: (port, directory) => [
    '-host=127.0.0.1',
    `-port=${port}`,
    '-base-path=/files/',
    `-upload-dir=${directory}`,
  ],
})

/** An app of its own around the library, to see what hooks cost: run it with and without them. */
function app(name: string, label: string, mode: string): ServerKind {
  return {
    name,
    label,
    role: 'peer',
    durability: 'power',
    capabilities: ['store', 'checksum'],
    command: (port, directory) => ({
      file: process.execPath,
      args: [script('carryon-app.mjs'), String(port), directory, mode],
    }),
    // Only on wish: it is compared with its own kind.
    missing: () => (process.argv.some((word) => word.includes('app-')) ? undefined : 'only if asked for'),
  }
}

/** Every server the harness knows. */
export const servers: readonly ServerKind[] = [
  carryon('power'),
  carryon('process'),
  app('app-plain', 'carryon in an app, power', 'plain'),
  app('app-hooks', 'carryon in an app with onCreate and post-finish over HTTP, power', 'hooks'),
  tusNode,
  tusd,
  bareHttp,
]
