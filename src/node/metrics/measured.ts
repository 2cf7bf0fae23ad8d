import type { UploadId } from '../../core/upload-id.ts'
import type { Exchange, Outcome, Reply } from '../../server/exchange.ts'
import type { Handler } from '../../server/handler.ts'
import { targetOf } from '../../server/request.ts'
import type { Arrival, Interruptions } from './interruptions.ts'
import type { Recorder } from './recorder.ts'
import type { BodyWatch } from './watched-exchange.ts'
import { WatchedExchange } from './watched-exchange.ts'

const REQUEST_TIMEOUT = 408

/** What {@link measured} tells of requests. */
export interface Measures {
  readonly recorder: Recorder
  readonly interruptions: Interruptions
  /** Path of the creation URL of the measured handler. */
  readonly basePath: string
}

/**
 * Counts what goes through a handler and changes nothing about it.
 *
 * Bytes are counted where they come in: progress, as it is told to listeners, has no exact beginning after a restart and
 * costs a timer for each request.
 */
export function measured(handler: Handler, measures: Measures): Handler {
  const { recorder } = measures
  return async (exchange) => {
    const startMs = performance.now()
    const content = new Content(exchange, measures)
    let outcome: Outcome | 'not-ours'
    recorder.requestBegan()
    try {
      outcome = await handler(new WatchedExchange(exchange, content))
    } catch (error) {
      // It should not: what it is worth is for the adapter to say, but levels must go down again.
      content.close(undefined)
      recorder.requestEnded(exchange.method, undefined, (performance.now() - startMs) / 1000)
      throw error
    }
    recorder.requestEnded(exchange.method, outcome, (performance.now() - startMs) / 1000)
    if (outcome !== 'not-ours') content.close(outcome)
    return outcome
  }
}

/** The content of one request, and what it means for its upload. */
class Content implements BodyWatch {
  readonly #exchange: Exchange
  readonly #measures: Measures
  #arrival: Arrival | undefined
  #isRunning = false
  #isCut = false
  #receivedBytes = 0

  constructor(exchange: Exchange, measures: Measures) {
    this.#exchange = exchange
    this.#measures = measures
  }

  began(): void {
    this.#isRunning = true
    this.#measures.recorder.contentBegan()
    const id = this.#uploadId()
    if (id === undefined) return
    // Core has let it in at just this offset.
    const from = wholeNumber(this.#exchange.header('upload-offset'))
    if (from === undefined) return
    this.#arrival = { id, from }
    this.#measures.interruptions.begin(this.#arrival)
  }

  data(bytes: number): void {
    this.#receivedBytes += bytes
    this.#measures.recorder.bytesReceived(bytes)
  }

  ended(kind: 'complete' | 'cut'): void {
    if (kind === 'cut') this.#isCut = true
  }

  close(outcome: Outcome): void {
    if (!this.#isRunning) return this.#lookAt(outcome)
    this.#isRunning = false
    this.#measures.recorder.contentEnded()
    if (this.#arrival === undefined) return
    const isCut = this.#isCut || outcome === undefined || isOurFault(outcome)
    this.#measures.interruptions.end(this.#arrival, this.#receivedBytes, isCut)
  }

  /** A 2xx that names an offset and brought nothing is the answer to the question where to go on. */
  #lookAt(outcome: Outcome): void {
    if (outcome === undefined || outcome.status >= 300) return
    const offset = wholeNumber(outcome.headers['Upload-Offset'])
    if (offset === undefined || offset === 0 || String(offset) === outcome.headers['Upload-Length']) return
    const id = this.#uploadId()
    if (id !== undefined) this.#measures.interruptions.retrieved(id, offset)
  }

  #uploadId(): UploadId | undefined {
    const target = targetOf(this.#exchange.target, this.#measures.basePath)
    return target?.kind === 'upload' ? target.id : undefined
  }
}

/** The client will try again from where it stopped. */
function isOurFault({ status }: Reply): boolean {
  return status === REQUEST_TIMEOUT || status >= 500
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
