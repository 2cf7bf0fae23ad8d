import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Uploads } from '../node/index.ts'
import type { Log } from './log.ts'
import { formatDuration } from './units.ts'

interface Running {
  readonly server: Server
  readonly uploads: Pick<Uploads, 'close'>
  readonly log: Log
  /** How long all of it may take. */
  readonly timeoutMs: number
}

/** By convention 128 and the number of the signal. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const
/** npm passes Ctrl-C on to a process that the terminal has told already: that is one wish to stop, not two. */
const ECHO_MS = 300
/** Requests may take this share of the time to store what they have; the rest is for closing files and answers. */
const REQUESTS_SHARE = 0.8
const LOOK_FOR_IDLE_MS = 50

/**
 * Stops the server at the first SIGINT or SIGTERM; a second one ends the process at once.
 *
 * @returns The exit code, when the server has stopped: 0 if everything is stored.
 */
export function shutDownOnSignal(running: Running): Promise<number> {
  return new Promise((resolve) => {
    let firstMs: number | undefined
    const onSignal = (signal: 'SIGINT' | 'SIGTERM'): void => {
      if (firstMs === undefined) {
        firstMs = performance.now()
        resolve(shutDown(running))
      } else if (signal !== 'SIGINT' || performance.now() - firstMs > ECHO_MS) {
        running.log.warn({}, 'stopped at once')
        process.exit(EXIT_CODES[signal])
      }
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
  })
}

/**
 * Takes no more connections, stores what running requests have brought and answers them 503, then waits until the
 * answers are out. What is left at the deadline is cut off.
 */
async function shutDown({ server, uploads, log, timeoutMs }: Running): Promise<number> {
  const limit = formatDuration(timeoutMs)
  // The terminal has printed ^C and left the cursor there.
  if (process.stdout.isTTY) process.stdout.write('\n')
  log.info(
    {},
    `stopping: storing what has arrived, for at most ${limit}; a second signal (Ctrl-C) stops at once`,
  )
  const deadline = delay(timeoutMs, 'late' as const)
  const disconnected = once(server, 'close')
  endConnectionsAfterAnswers(server)
  server.close()
  const stored = await Promise.race([deadline, close(uploads, log, timeoutMs * REQUESTS_SHARE)])
  await Promise.race([deadline, disconnected])
  server.closeAllConnections()
  if (stored === 'late') log.error({}, `the storage did not stop within ${limit}; confirmed bytes are safe`)
  else if (stored === 'stored') log.info({}, 'stopped')
  return stored === 'stored' ? 0 : 1
}

async function close(uploads: Running['uploads'], log: Log, waitMs: number): Promise<'stored' | 'failed'> {
  try {
    await uploads.close(waitMs)
    return 'stored'
  } catch (error) {
    log.error({ err: error }, 'the storage could not be closed')
    return 'failed'
  }
}

/** `server.close` ends the connections that are idle now, but not those that become idle later. */
function endConnectionsAfterAnswers(server: Server): void {
  const last = (_: IncomingMessage, response: ServerResponse): void => void (response.shouldKeepAlive = false)
  server.prependListener('request', last)
  server.prependListener('checkContinue', last)
  setInterval(() => server.closeIdleConnections(), LOOK_FOR_IDLE_MS).unref()
}
