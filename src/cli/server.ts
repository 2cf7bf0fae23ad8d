import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { Uploads, UploadsOptions } from '../node/index.ts'
import { openUploads } from '../node/index.ts'
import { announce } from './announce.ts'
import { openHooks } from './hook-settings.ts'
import type { Log } from './log.ts'
import { openLog } from './log.ts'
import { logRequests } from './request-log.ts'
import type { ServeConfig } from './serve-settings.ts'
import { shutDownOnSignal } from './shutdown.ts'
import { startTrouble } from './start-trouble.ts'

/**
 * Serves until a signal comes.
 *
 * @param unknownVariables - Names in the environment to warn of.
 * @returns The exit code.
 * @throws {CliError} when it cannot start: one line, and nothing is left behind.
 */
export async function serve(config: ServeConfig, unknownVariables: readonly string[]): Promise<number> {
  const logging = openLog(config.logLevel)
  const server = createServer()
  const early = holdRequests(server)
  try {
    // The port first: it is the quickest check, and when it is taken the directory is better left alone.
    await listen(server, config)
    const [log, uploads] = await Promise.all([logging, open(config, logging)])
    dieLoudly(log)
    const stopped = shutDownOnSignal({ server, uploads, log, timeoutMs: config.shutdownTimeoutMs })
    if (config.logLevel === 'debug') logRequests(server, log)
    early.release(uploads)
    announce(server, config, log)
    for (const variable of unknownVariables) {
      log.warn({ variable }, 'this environment variable is no setting of carryon serve')
    }
    return await stopped
  } catch (error) {
    server.close()
    server.closeAllConnections()
    throw startTrouble(error, config)
  }
}

function dieLoudly(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a bug: the server stops')
    process.exit(1)
  })
}

async function listen(server: Server, { host, port }: ServeConfig): Promise<void> {
  server.listen({ host, port })
  await once(server, 'listening')
}

async function open(
  { uploads, hooks, events, metrics }: ServeConfig,
  logging: Promise<Log>,
): Promise<Uploads> {
  const tell = (write: (log: Log) => void): void => void logging.then(write)
  return openUploads({
    ...uploads,
    ...(hooks === undefined ? {} : { remote: await openHooks(hooks) }),
    ...(metrics === undefined ? {} : { metrics: { library: await import('prom-client'), ...metrics } }),
    ...(events === undefined ? {} : { events: guarded(events.path, events.token) }),
    report: (error) => tell((log) => log.error({ err: error }, 'a request or a chore failed')),
    onSweep: (found) => tell((log) => log.info({ found }, 'swept')),
    onFatal: (error) =>
      tell((log) => {
        log.fatal({ err: error }, 'the records cannot be kept any more: the server stops')
        process.exit(1)
      }),
  })
}

/** The stream for whoever knows the token; compared in a time that tells nothing of it. */
function guarded(path: string, token: string): NonNullable<UploadsOptions['events']> {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  const wanted = digest(`Bearer ${token}`)
  return {
    path,
    authorise: ({ header }) => timingSafeEqual(digest(header('authorization') ?? ''), wanted),
  }
}

interface Early {
  /** Serves what has come meanwhile, and from now on everything as it comes. */
  release(uploads: Uploads): void
}

/** Requests that come before the directory is open wait for it. */
function holdRequests(server: Server): Early {
  const waiting: [IncomingMessage, ServerResponse][] = []
  const hold = (request: IncomingMessage, response: ServerResponse): void =>
    void waiting.push([request, response])
  server.on('request', hold)
  return {
    release(uploads) {
      server.off('request', hold)
      uploads.attach(server)
      for (const [request, response] of waiting) uploads.listener(request, response)
    },
  }
}
