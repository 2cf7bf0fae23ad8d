import type { Connection } from '../../../src/testing/conformance/wire.ts'
import { headerValue, WireError } from '../../../src/testing/conformance/wire-response.ts'
import type { WireResponse } from '../../../src/testing/conformance/wire-response.ts'
import { seededRandom } from '../../e2e/support/content.ts'
import { within } from '../../e2e/support/until.ts'
import { mutate } from './mutations.ts'
import { rawExchange } from './raw-exchange.ts'
import type { Manner } from './raw-exchange.ts'
import type { Served } from './served.ts'
import type { Dice } from './tus-request.ts'
import { bytesOf, diceOf, validRequest } from './tus-request.ts'

/** No whole request may wait longer for its answer. */
const HANG_MS = 5000
const POOL_SIZE = 40
/** What a server may say of a coding or a version that it cannot serve, whoever asks. */
const FAIR_5XX = new Set([501, 505])
/** Words of the inside that no client has to see. */
const LEAKS = /ENOENT|EACCES|SQLITE|node:internal|\.js:\d+|TypeError|carryon-abuse-/

/** A request that the server did not take well, byte for byte. */
interface Offence {
  readonly index: number
  readonly what: string
  readonly bytes: Buffer
}

/** Sends bent requests of one seed and watches what becomes of them. */
export class Fuzzer {
  readonly #server: Served
  readonly #seed: number
  readonly #pool: string[] = []
  readonly #underWay = new Map<number, Buffer>()
  readonly offences: Offence[] = []
  /** How often each status was answered. */
  readonly statuses: Map<number, number> = new Map()

  constructor(server: Served, seed: number) {
    this.#server = server
    this.#seed = seed
  }

  /** Sends the requests from `from` to before `to`, several at once. */
  async run(from: number, to: number, atOnce: number): Promise<void> {
    let next = from
    const work = async (): Promise<void> => {
      const line = new KeptConnection(this.#server)
      try {
        while (next < to && !this.#server.hasEnded) {
          const index = next
          next += 1
          await this.#one(index, line)
        }
      } finally {
        line.drop()
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
  }

  /** The bytes that were under way when the server ended, or all offences, to be shown. */
  report(): string {
    const ended = this.#server.hasEnded
      ? [...this.#underWay].map(([index, bytes]) =>
          show({ index, bytes, what: 'the server ended meanwhile' }),
        )
      : []
    return [`seed ${this.#seed}`, ...ended, ...this.offences.slice(0, 10).map(show)].join('\n\n')
  }

  async #one(index: number, line: KeptConnection): Promise<void> {
    const dice = diceOf(seededRandom(this.#seed * 1_000_003 + index))
    const request = validRequest(dice, this.#target(dice))
    const { bytes, framing } = mutate(dice, request)
    this.#underWay.set(index, bytes)
    try {
      const manner = dice.number(20)
      if (framing === 'unclear' || manner < 4) {
        const manners: readonly Manner[] = ['half-close', 'half-close', 'drip', 'cut', 'reset']
        await this.#alone(index, bytes, dice.pick(manners))
      } else {
        const more = framing === 'exact' && dice.oneIn(8) ? this.#pipelined(dice) : []
        await this.#kept(index, line, [{ bytes, method: request.method }, ...more])
        if (framing !== 'exact') line.drop()
      }
    } finally {
      if (!this.#server.hasEnded) this.#underWay.delete(index)
    }
  }

  #target(dice: Dice): string {
    return this.#pool.length === 0 || dice.oneIn(30)
      ? `/files/${'n0-such_upl0ad'.repeat(2)}`
      : dice.pick(this.#pool)
  }

  #pipelined(dice: Dice): Sent[] {
    return Array.from({ length: 1 + dice.number(4) }, () => {
      const request = validRequest(dice, this.#target(dice))
      return { bytes: bytesOf(request), method: request.method }
    })
  }

  async #kept(index: number, line: KeptConnection, sent: readonly Sent[]): Promise<void> {
    const bytes = Buffer.concat(sent.map((one) => one.bytes))
    try {
      const connection = await line.take()
      connection.write(bytes)
      for (const { method } of sent) {
        const answer = await within('an answer', connection.response(method), HANG_MS)
        this.#judge(index, bytes, answer.status, answer.body.toString('latin1'))
        this.#remember(answer)
        if (headerValue(answer, 'connection')?.toLowerCase() === 'close') return line.drop()
      }
    } catch (error) {
      line.drop()
      // A connection that is closed is an answer, too.
      if (error instanceof WireError && error.trouble === 'closed') return
      this.offences.push({ index, bytes, what: String(error) })
    }
  }

  async #alone(index: number, bytes: Buffer, manner: Manner): Promise<void> {
    const answer = await rawExchange(this.#server.port, bytes, manner, HANG_MS)
    if (answer === undefined) {
      this.offences.push({ index, bytes, what: `open ${HANG_MS} ms after the end of it (${manner})` })
      return
    }
    for (const [, status, rest] of answer.matchAll(/HTTP\/1\.1 (\d{3}) ([^]*?)(?=HTTP\/1\.1 \d{3} |$)/g)) {
      this.#judge(index, bytes, Number(status), rest ?? '')
    }
  }

  #judge(index: number, bytes: Buffer, status: number, body: string): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
    if (status >= 500 && !FAIR_5XX.has(status))
      this.offences.push({ index, bytes, what: `${status} ${body}` })
    const leak = LEAKS.exec(body)
    if (leak !== null)
      this.offences.push({ index, bytes, what: `${leak[0]} in the answer ${status} ${body}` })
  }

  #remember(answer: WireResponse): void {
    const path = /\/files\/[\w-]+$/.exec(headerValue(answer, 'location') ?? '')?.[0]
    if (path === undefined) return
    this.#pool.push(path)
    if (this.#pool.length > POOL_SIZE) this.#pool.shift()
  }
}

interface Sent {
  readonly bytes: Buffer
  readonly method: string
}

/** A connection that is used for as long as the server keeps it. */
class KeptConnection {
  readonly #server: Served
  #connection: Connection | undefined
  #hasEnded = false

  constructor(server: Served) {
    this.#server = server
  }

  async take(): Promise<Connection> {
    if (this.#connection !== undefined && !this.#hasEnded) return this.#connection
    this.drop()
    const connection = await this.#server.connect(600_000)
    this.#connection = connection
    this.#hasEnded = false
    void connection.ended.then(() => {
      if (this.#connection === connection) this.#hasEnded = true
    })
    return connection
  }

  drop(): void {
    this.#connection?.close()
    this.#connection = undefined
  }
}

function show({ index, what, bytes }: Offence): string {
  const text = JSON.stringify(bytes.toString('latin1').slice(0, 600))
  return `request ${index}: ${what}\n${text}\nbase64: ${bytes.toString('base64')}`
}
