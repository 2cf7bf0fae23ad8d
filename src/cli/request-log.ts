import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Log } from './log.ts'

const LONGEST_PATH = 200

/** Tells of every answered request. Upload URLs are keys to uploads: this is for looking at one's own server. */
export function logRequests(server: Server, log: Log): void {
  const watch = (request: IncomingMessage, response: ServerResponse): void => {
    const startedMs = performance.now()
    response.once('close', () => {
      const { method, url = '' } = request
      const status = response.headersSent ? response.statusCode : 'closed'
      const ms = Math.round(performance.now() - startedMs)
      log.debug({ method, path: url.slice(0, LONGEST_PATH), status, ms }, 'request')
    })
  }
  server.on('request', watch)
  server.on('checkContinue', watch)
}
