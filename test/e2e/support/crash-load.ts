import { setTimeout as delay } from 'node:timers/promises'
import type { Content } from './content.ts'
import { contentOf } from './content.ts'
import type { Answer } from './http-client.ts'
import { HttpClient, offsetOf } from './http-client.ts'

/** What the clients know of one upload: the oracle that the server is held to. */
export interface Tracked {
  /** Path of its URL: the port is another one after each restart. */
  readonly path: string
  readonly content: Content
  readonly length: number
  /** The length is declared with the last PATCH only. */
  readonly isDeferred: boolean
  /** The highest offset that any answer has named. */
  ackedBytes: number
  /** No byte from here on has ever been sent. */
  sentBytes: number
  /** `deleting`: a DELETE went out and no answer came. */
  fate: 'live' | 'deleting' | 'deleted'
  /** A client is sending to it. */
  isBusy: boolean
}

/** Uploads up to this size come and go; larger ones are streamed. */
const SMALL_BYTES = 100_000

type NewUpload = Omit<Tracked, 'fate' | 'isBusy'>

/** Everything that all clients know, over all rounds. */
export class Oracle {
  readonly uploads: Tracked[] = []
  /** Contents of creations that were never answered: they may or may not be there. */
  readonly unanswered: Buffer[] = []
  #seed = 0

  nextContent(): Content {
    this.#seed += 1
    return contentOf(this.#seed)
  }

  add(upload: NewUpload): Tracked {
    const tracked: Tracked = { ...upload, fate: 'live', isBusy: false }
    this.uploads.push(tracked)
    return tracked
  }

  live(): Tracked[] {
    return this.uploads.filter(({ fate }) => fate === 'live')
  }
}

/** An answer promises an offset: it must be one that was sent, and never go back. */
export function acknowledge(upload: Tracked, offset: number): void {
  if (offset < upload.ackedBytes)
    throw new Error(`${upload.path} went back from ${upload.ackedBytes} to ${offset}`)
  if (offset > upload.sentBytes)
    throw new Error(`${upload.path} is at ${offset}, only ${upload.sentBytes} were sent`)
  upload.ackedBytes = offset
}

/** One round of load by several clients, until the server is killed. */
export class Load {
  readonly #oracle: Oracle
  readonly #url: string
  readonly #random: () => number
  readonly #client = new HttpClient()
  #isOver = false
  /** Answers that promised something. */
  acknowledgements = 0
  /** PATCH requests that the kill cut off. */
  interrupted: Tracked[] = []

  constructor(oracle: Oracle, url: string, random: () => number) {
    this.#oracle = oracle
    this.#url = url
    this.#random = random
  }

  /** Runs all clients. @returns A promise that resolves when all have noticed the end. */
  run(streams: number): Promise<unknown> {
    const unfinished = this.#oracle
      .live()
      .filter((one) => one.length > SMALL_BYTES && one.ackedBytes < one.length)
    const workers = Array.from({ length: streams }, (_, index) => this.#stream(unfinished[index]))
    return Promise.all([
      ...workers,
      this.#createSmall(),
      this.#createSmall(),
      this.#createEmpty(),
      this.#remove(),
    ])
  }

  /** From now on broken connections are what is expected. Call it right before the kill. */
  end(): void {
    this.#isOver = true
  }

  close(): void {
    this.#client.close()
  }

  /** Large uploads in PATCHes of random sizes, now and then pre-empted by a HEAD. */
  async #stream(left: Tracked | undefined): Promise<void> {
    let upload = left
    while (!this.#isOver) {
      if (upload === undefined || upload.ackedBytes === upload.length) upload = await this.#createLarge()
      if (upload === undefined) return
      await this.#patch(upload)
    }
  }

  async #createLarge(): Promise<Tracked | undefined> {
    const length = this.#between(SMALL_BYTES + 1, 6 * 1024 * 1024)
    const isDeferred = this.#random() < 0.25
    const declared = isDeferred ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(length) }
    const headers = { 'Tus-Resumable': '1.0.0', 'Content-Length': 0, ...declared }
    const answer = await this.#ask(this.#client.ask({ method: 'POST', url: this.#url, headers }))
    if (answer === undefined) return undefined
    const content = this.#oracle.nextContent()
    return this.#created(answer, { content, length, isDeferred, ackedBytes: 0, sentBytes: 0 })
  }

  async #patch(upload: Tracked): Promise<void> {
    upload.isBusy = true
    const start = upload.ackedBytes
    const wanted = this.#random() < 0.3 ? upload.length : start + this.#between(1, 2 * 1024 * 1024)
    const end = Math.min(upload.length, wanted)
    const declares = upload.isDeferred && end === upload.length
    const headers = declares ? { 'Upload-Length': String(upload.length) } : {}
    const looks = this.#random() < 0.2
    const look = looks ? this.#lookAfter(upload, 10 * this.#random()) : undefined
    const answer = await this.#client
      .patch(this.#at(upload), start, this.#body(upload, start, end), headers)
      .catch(() => undefined)
    await look
    upload.isBusy = false
    if (answer?.status === 204) {
      if (offsetOf(answer) !== end) throw new Error(`204 for ${end} says ${offsetOf(answer)}`)
      this.#acknowledge(upload, end)
    } else if (this.#isOver) this.interrupted.push(upload)
    // The HEAD may have come first or last; either way it has told where to go on.
    else if (!looks)
      throw new Error(`PATCH ${upload.path} at ${start}: ${answer?.status} ${answer?.body.toString()}`)
  }

  async #lookAfter(upload: Tracked, ms: number): Promise<void> {
    await delay(ms)
    const answer = await this.#ask(this.#client.head(this.#at(upload)))
    if (answer === undefined) return
    if (answer.status !== 200) throw new Error(`HEAD ${upload.path}: ${answer.status}`)
    this.#acknowledge(upload, offsetOf(answer))
  }

  async *#body(upload: Tracked, start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
    let at = start
    while (at < end) {
      const next = Math.min(end, at + this.#between(1, 128 * 1024))
      upload.sentBytes = Math.max(upload.sentBytes, next)
      yield upload.content.slice(at, next)
      at = next
      await delay(2 * this.#random())
    }
  }

  /** Whole uploads in one request. */
  async #createSmall(): Promise<void> {
    while (!this.#isOver) {
      const content = this.#oracle.nextContent()
      const bytes = content.slice(0, this.#between(0, SMALL_BYTES))
      const headers = {
        'Tus-Resumable': '1.0.0',
        'Content-Type': 'application/offset+octet-stream',
        'Upload-Length': bytes.length,
        'Content-Length': bytes.length,
      }
      const answer = await this.#ask(
        this.#client.ask({ method: 'POST', url: this.#url, headers, body: bytes }),
      )
      const { length } = bytes
      if (answer === undefined) this.#oracle.unanswered.push(bytes)
      else
        this.#created(answer, { content, length, isDeferred: false, ackedBytes: length, sentBytes: length })
      await delay(10 * this.#random())
    }
  }

  async #createEmpty(): Promise<void> {
    while (!this.#isOver) {
      const length = this.#between(1, 50_000)
      const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': length, 'Content-Length': 0 }
      const answer = await this.#ask(this.#client.ask({ method: 'POST', url: this.#url, headers }))
      if (answer === undefined) return
      const content = this.#oracle.nextContent()
      const upload = this.#created(answer, {
        content,
        length,
        isDeferred: false,
        ackedBytes: 0,
        sentBytes: 0,
      })
      if (this.#random() < 0.5) await this.#patch(upload)
      await delay(20 * this.#random())
    }
  }

  async #remove(): Promise<void> {
    while (!this.#isOver) {
      await delay(30 * this.#random())
      const candidates = this.#oracle.live().filter((one) => one.length <= SMALL_BYTES && !one.isBusy)
      const upload = candidates[this.#between(0, candidates.length)]
      if (upload === undefined || this.#isOver) continue
      upload.fate = 'deleting'
      const answer = await this.#ask(this.#client.remove(this.#at(upload)))
      if (answer === undefined) return
      if (answer.status !== 204)
        throw new Error(`DELETE ${upload.path}: ${answer.status} ${answer.body.toString()}`)
      upload.fate = 'deleted'
      this.acknowledgements += 1
    }
  }

  #created(answer: Answer, upload: Omit<NewUpload, 'path'>): Tracked {
    const { location } = answer.headers
    if (answer.status !== 201 || location === undefined)
      throw new Error(`POST: ${answer.status} ${answer.body.toString()}`)
    this.acknowledgements += 1
    return this.#oracle.add({ ...upload, path: new URL(location, this.#url).pathname })
  }

  #acknowledge(upload: Tracked, offset: number): void {
    acknowledge(upload, offset)
    this.acknowledgements += 1
  }

  /** `undefined` when the kill took the answer away. */
  async #ask(answer: Promise<Answer>): Promise<Answer | undefined> {
    try {
      return await answer
    } catch (error) {
      if (this.#isOver) return undefined
      throw error
    }
  }

  #at(upload: Tracked): string {
    return new URL(upload.path, this.#url).href
  }

  #between(from: number, before: number): number {
    return from + Math.floor(this.#random() * (before - from))
  }
}
