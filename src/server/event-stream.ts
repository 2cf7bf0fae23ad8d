import type { Engine } from '../core/engine.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { Happening } from '../core/ports/hooks.ts'
import { systemClock } from '../core/system-clock.ts'
import type { Exchange, Reply } from './exchange.ts'

export interface EventStreamOptions {
  /** Path of the stream, such as `/events`. */
  readonly path: string
  /** Whether whoever asks may hear of every upload, with its id, its metadata and its owner. */
  readonly authorise: (asked: EventStreamRequest) => boolean | Promise<boolean>
}

/** Who asks for the stream. */
interface EventStreamRequest {
  readonly peerAddress: string | undefined
  /** Value of a field by lower-case name. */
  readonly header: (name: string) => string | undefined
}

/** Answers to requests for the stream. */
export interface EventStream {
  readonly path: string
  answer(exchange: Exchange): Promise<Reply>
}

/** A listener that does not read is let go rather than remembered for ever. */
const MAX_WAITING = 1000
/** Proxies close what says nothing. */
const HEARTBEAT_MS = 15_000
/** How soon it notices that the server is closing. */
const LOOK_MS = 250
const utf8 = new TextEncoder()

/**
 * What happens to uploads in this process, progress included, as server-sent events: for an application's own screens.
 * Takes no lock and is not kept: for events that must not be missed there are hooks.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function eventStream(
  engine: Engine,
  options: EventStreamOptions,
  clock: Clock = systemClock,
): EventStream {
  return {
    path: options.path,
    async answer(exchange) {
      if (exchange.method !== 'GET') return plain(405, 'Only GET.\n', { Allow: 'GET' })
      const { peerAddress } = exchange
      if (!(await options.authorise({ peerAddress, header: (name) => exchange.header(name) }))) {
        return plain(401, 'Not for everybody.\n', { 'WWW-Authenticate': 'Bearer' })
      }
      const headers = {
        'Content-Type': 'text/event-stream; charset=utf-8',
        'Cache-Control': 'no-store',
        // nginx would hold the stream back until its buffer is full.
        'X-Accel-Buffering': 'no',
        'X-Content-Type-Options': 'nosniff',
      }
      return { status: 200, headers, body: streamOf(engine, exchange.signal, clock) }
    },
  }
}

function plain(status: number, body: string, headers: Readonly<Record<string, string>>): Reply {
  const fields = { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': String(body.length) }
  return { status, headers: { ...fields, 'Cache-Control': 'no-store', ...headers }, body }
}

async function* streamOf(engine: Engine, signal: AbortSignal, clock: Clock): AsyncGenerator<Uint8Array> {
  const waiting: string[] = [': carryon\n\n']
  let wake = (): void => undefined
  let saidMs = clock.nowMs()
  const end = engine.observe((happening) => {
    // Of an upload only the latest progress is news.
    if (waiting.length < MAX_WAITING || happening.type !== 'progress') waiting.push(textOf(happening))
    wake()
  })
  const stop = (): void => wake()
  signal.addEventListener('abort', stop)
  try {
    while (!signal.aborted && !engine.isClosing && waiting.length <= 2 * MAX_WAITING) {
      if (waiting.length === 0) await moved(clock, (resolve) => (wake = resolve))
      const nowMs = clock.nowMs()
      if (waiting.length === 0 && nowMs - saidMs >= HEARTBEAT_MS) waiting.push(': still here\n\n')
      if (waiting.length === 0) continue
      saidMs = nowMs
      yield utf8.encode(waiting.splice(0).join(''))
    }
  } finally {
    signal.removeEventListener('abort', stop)
    end()
  }
}

/** Resolves when something has happened, or after a moment. */
function moved(clock: Clock, listen: (resolve: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(LOOK_MS, resolve)
    listen(() => {
      cancel()
      resolve()
    })
  })
}

function textOf(happening: Happening): string {
  const { upload, type } = happening
  const { id, offset, length, metadata, owner, status } = upload
  const received = happening.type === 'progress' ? { receivedBytes: happening.receivedBytes } : {}
  const data = { id, status, offset, length: length ?? null, ...received, metadata, owner: owner ?? null }
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}
