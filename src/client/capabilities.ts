import type { Clock } from '../core/ports/clock.ts'
import { parseDecimal } from '../protocol/integer.ts'
import { abortable } from './abortable.ts'
import { isTransferError } from './errors.ts'
import type { ResponseHead } from './ports/transport.ts'
import { isSuccess } from './refusal.ts'
import type { Requester } from './requester.ts'

/** What a server says it can do. */
export interface Capabilities {
  /** Names of tus extensions, as announced. */
  readonly extensions: ReadonlySet<string>
  /** Versions of tus, the server's favourite first. */
  readonly versions: readonly string[]
  readonly maxSizeBytes: number | undefined
  readonly checksumAlgorithms: ReadonlySet<string>
}

interface Flight {
  readonly answer: Promise<Capabilities | undefined>
  /** Of the one who asked: those who only wait must not fall with him. */
  readonly signal: AbortSignal
  readonly untilMs: number
}

const KEPT_MS = 10 * 60 * 1000
// Statuses that say nothing about the server behind them.
const PASSING = /^(408|425|429|50[234])$/

// By clock, so that a process with one clock has one cache.
const caches = new WeakMap<Clock, Map<string, Flight>>()

/**
 * Asks what the endpoint can do: one OPTIONS per address and ten minutes, however many ask.
 *
 * @returns `undefined` for a server that does not say (404, 405, a web page): then only the core of the protocol is used.
 * @throws {TransferError} for what may pass: `network`, `timeout`, `stall`, `server` with 408, 425, 429, 502, 503, 504.
 * @throws `signal.reason` when aborted.
 */
export async function discover(
  requester: Requester,
  endpoint: string,
  signal: AbortSignal,
): Promise<Capabilities | undefined> {
  const { clock } = requester
  const cache = caches.get(clock) ?? new Map<string, Flight>()
  caches.set(clock, cache)
  const key = endpoint.replace(/[?#].*/s, '')
  for (;;) {
    const known = cache.get(key)
    if (known === undefined || known.untilMs <= clock.nowMs()) break
    try {
      return await abortable(known.answer, signal)
    } catch (error) {
      if (signal.aborted || !known.signal.aborted) throw error
    }
  }
  const answer = askPatiently(requester, endpoint, signal)
  const flight = { answer, signal, untilMs: clock.nowMs() + KEPT_MS }
  cache.set(key, flight)
  const forget = (): void => void (cache.get(key) === flight && cache.delete(key))
  // Nothing but a real answer is kept.
  answer.then((found) => found ?? forget(), forget)
  return await answer
}

/**
 * Asks what the endpoint can do.
 *
 * @throws {TransferError} also when the answer is not one of a tus server.
 */
export async function askCapabilities(
  requester: Requester,
  endpoint: string,
  signal: AbortSignal,
): Promise<Capabilities> {
  // tus 1.0 §Tus-Resumable: not on OPTIONS
  const call = { method: 'OPTIONS', url: endpoint, signal }
  const response = await requester.send(call)
  const versions = listOf(response, 'Tus-Version')
  const extensions = new Set(listOf(response, 'Tus-Extension'))
  if (!isSuccess(response.status) || versions.length + extensions.size === 0) {
    throw requester.refusal(call, response, 'the server does not say what it can do')
  }
  const maxSize = parseDecimal(response.header('Tus-Max-Size') ?? '')
  return {
    extensions,
    versions,
    // Some servers write 0 for "no limit".
    maxSizeBytes: maxSize.ok && maxSize.value > 0 ? maxSize.value : undefined,
    checksumAlgorithms: new Set(listOf(response, 'Tus-Checksum-Algorithm')),
  }
}

async function askPatiently(
  requester: Requester,
  endpoint: string,
  signal: AbortSignal,
): Promise<Capabilities | undefined> {
  try {
    return await askCapabilities(requester, endpoint, signal)
  } catch (error) {
    const isAnswer = isTransferError(error) && (error.code === 'protocol' || error.code === 'server')
    if (isAnswer && !PASSING.test(String(error.status))) return undefined
    throw error
  }
}

function listOf(response: ResponseHead, name: string): readonly string[] {
  const items = (response.header(name) ?? '').split(',').map((item) => item.trim())
  return items.filter((item) => item !== '')
}
