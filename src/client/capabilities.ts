import { abortable } from './abortable.ts'
import { isTransferError } from './errors.ts'
import { perClock } from './per-clock.ts'
import type { Requester } from './requester.ts'
import { isRetryable } from './retry.ts'
import { isSuccess } from './tus-answers.ts'
import { integerOf } from './tus-codec.ts'

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

const flightsOf = perClock<Flight>()

/**
 * Asks what the endpoint can do: one OPTIONS per address and ten minutes, however many ask.
 *
 * @returns `undefined` for a server that does not say (404, 405, a web page): then only the core of the protocol is used.
 * @throws {TransferError} for what may pass: `network`, `timeout`, `stall`, `server` with 408, 425, 429, 5xx.
 * @throws `signal.reason` when aborted.
 */
export async function discover(
  requester: Requester,
  endpoint: string,
  signal: AbortSignal,
): Promise<Capabilities | undefined> {
  const { clock } = requester
  const flights = flightsOf(clock)
  const key = endpoint.replace(/[?#].*/s, '')
  const known = flights.get(key)
  if (known && known.untilMs > clock.nowMs()) {
    try {
      return await abortable(known.answer, signal)
    } catch (error) {
      if (signal.aborted || !known.signal.aborted) throw error
      return await discover(requester, endpoint, signal)
    }
  }
  const answer = askCapabilities(requester, endpoint, signal).catch(silence)
  flights.set(key, { answer, signal, untilMs: clock.nowMs() + KEPT_MS })
  const forget = (): unknown => flights.delete(key)
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
  const listOf = (name: string): string[] => (response.header(name) ?? '').split(/[\s,]+/).filter(Boolean)
  const versions = listOf('Tus-Version')
  const extensions = new Set(listOf('Tus-Extension'))
  if (!isSuccess(response) || !(versions[0] || extensions.size)) {
    throw requester.refusal(call, response, 'no tus server')
  }
  return {
    extensions,
    versions,
    // Some servers write 0 for "no limit".
    maxSizeBytes: integerOf(response, 'Tus-Max-Size') || undefined,
    checksumAlgorithms: new Set(listOf('Tus-Checksum-Algorithm')),
  }
}

/** A status that may pass says nothing about the server behind it; a page that is no tus server's says enough. */
function silence(error: unknown): undefined {
  if (!isTransferError(error)) throw error
  const isSilent = error.code === 'protocol' || (error.code === 'server' && !isRetryable(error))
  if (!isSilent) throw error
}
