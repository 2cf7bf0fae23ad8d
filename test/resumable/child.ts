import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { resumableListener, resumedUpload } from '../../src/node/resumable/index.ts'

/** What the parent hears, one line of JSON each. */
export interface Told {
  readonly kind: 'ready' | 'called' | 'answered'
  readonly port?: number
  readonly attempt?: number
  readonly key?: string
  readonly sha256?: string
  /** Largest resident set of the process so far, in bytes. */
  readonly maxRssBytes?: number
}

const [dir = '', manner = 'answer'] = process.argv.slice(2)

function tell(told: Told): void {
  process.stdout.write(`${JSON.stringify(told)}\n`)
}

async function digestOf(request: IncomingMessage): Promise<string> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of request) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
    // Slower than the disk: what is not held up then lies in memory.
    if (manner === 'slow' && bytes % (1024 * 1024) < 65_536) await delay(1)
  }
  return hash.digest('hex')
}

async function handler(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const upload = resumedUpload(request)
  const attempt = upload?.attempt ?? 0
  const key = upload?.idempotencyKey ?? ''
  if (manner === 'hang') {
    tell({ kind: 'called', attempt, key })
    await delay(1_000_000)
  }
  const sha256 = await digestOf(request)
  tell({ kind: 'called', attempt, key, sha256 })
  if (manner === 'late') await delay(20)
  const body = JSON.stringify({ attempt, key, sha256 })
  response.writeHead(201, { 'Content-Type': 'application/json', 'X-Attempt': attempt }).end(body)
  tell({ kind: 'answered', attempt, maxRssBytes: process.resourceUsage().maxRSS * 1024 })
}

const listener = await resumableListener(handler, { dir, path: '/photos' })
const server = createServer(listener)
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => tell({ kind: 'ready', port: (server.address() as AddressInfo).port }))
