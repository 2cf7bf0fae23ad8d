import type { Server } from 'node:http'
import { isIPv6 } from 'node:net'
import type { Log } from './log.ts'
import { packageVersion } from './package-version.ts'
import type { ServeConfig } from './serve-settings.ts'
import { formatDuration, formatSize } from './units.ts'

/** Tells where the server is and how to try it: a page for people on a terminal, one JSON line otherwise. */
export function announce(server: Server, config: ServeConfig, log: Log): void {
  const port = portOf(server)
  const url = urlOf(config, port)
  if (!process.stdout.isTTY) {
    const { dir, completedDir, durability } = config.uploads
    const { host } = config
    log.info(
      { url, host, port, dir, completedDir, durability, pid: process.pid, version: packageVersion() },
      'listening',
    )
  } else if (config.logLevel !== 'silent') {
    process.stdout.write(page(config, url))
  }
  if (!isLoopback(config.host)) {
    log.warn(
      {},
      'open to other machines: whoever reaches this address can upload, there is no authentication yet',
    )
  }
}

function page({ uploads, host }: ServeConfig, url: string): string {
  const { dir, completedDir, durability, expireAfterMs, maxSizeBytes, publicUrl } = uploads
  const facts = {
    ...(publicUrl === undefined ? {} : { 'Public URL': publicUrl }),
    Directory: dir,
    'Finished files': completedDir === false ? 'not moved, they stay in the directory' : completedDir,
    Durability: `${durability} (confirmed bytes survive ${durability === 'process' ? 'a crash' : 'a power cut'})`,
    Expiry:
      expireAfterMs === undefined
        ? 'never'
        : `unfinished uploads are removed after ${formatDuration(expireAfterMs)} without activity`,
    'Largest upload': maxSizeBytes === undefined ? 'no limit' : formatSize(maxSizeBytes),
  }
  const rows = Object.entries(facts).map(([name, value]) => `  ${`${name}:`.padEnd(16)} ${value}`)
  const reach = isWildcard(host) ? ' and on every other address of this machine' : ''
  return [
    `Carryon ${packageVersion()} takes uploads at ${bold(url)}${reach}`,
    '',
    ...rows,
    '',
    'Try it from another terminal:',
    '',
    `  ${curlLine(url)}`,
    '',
    'Ctrl-C stops.',
    '',
    '',
  ].join('\n')
}

/** Creates an upload and sends all of it in one request. Double quotes, so that it works in every shell. */
function curlLine(url: string): string {
  const fields = ['Tus-Resumable: 1.0.0', 'Upload-Length: 5', 'Content-Type: application/offset+octet-stream']
  return `curl -i ${url} ${fields.map((field) => `-H "${field}"`).join(' ')} --data-binary hello`
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function urlOf({ host, uploads }: ServeConfig, port: number): string {
  const name = isWildcard(host) ? '127.0.0.1' : isIPv6(host) ? `[${host}]` : host
  return `http://${name}:${port}${uploads.path}`
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

function bold(text: string): string {
  return process.stdout.hasColors() ? `\u001b[1m${text}\u001b[0m` : text
}
