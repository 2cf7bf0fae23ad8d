import { expect } from 'vitest'
import { hintFor } from '../../../src/client/hints.ts'
import type { RequestOptions } from '../../../src/client/options.ts'
import type { Slice } from '../../../src/client/ports/source.ts'
import type { Call } from '../../../src/client/requester.ts'
import { Requester } from '../../../src/client/requester.ts'
import { bytes } from '../../support/bytes.ts'
import { exchangeLog } from '../../../src/client/exchange-log.ts'
import type { ExchangeRecord } from '../../../src/client/exchange-log.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import type { TusBehaviour } from '../memory-tus.ts'
import { ScriptedTransport } from '../scripted-transport.ts'

export const ENDPOINT: string = 'https://host.test/files'
export const UPLOAD: string = `${ENDPOINT}/1`
const TUS: Readonly<Record<string, string>> = { 'Tus-Resumable': '1.0.0' }

export interface Rig {
  readonly clock: FakeClock
  readonly transport: ScriptedTransport
  readonly requester: Requester
  readonly abort: AbortController
  report(): readonly ExchangeRecord[]
  /** A platform for calls: jitter is always half. */
  readonly platform: {
    readonly transport: ScriptedTransport
    readonly clock: FakeClock
    readonly connectivity: undefined
    random(): number
    newId(): string
  }
}

export function rig(options: RequestOptions = {}, behaviour: Partial<TusBehaviour> = {}): Rig {
  const clock = new FakeClock()
  const transport = new ScriptedTransport(behaviour)
  let ids = 0
  const newId = (): string => `id-${(ids += 1)}`
  const platform = { transport, clock, connectivity: undefined, random: () => 0.5, newId }
  // As late as it is used: tests put another `send` in its place.
  const log = exchangeLog(
    { reportsSent: true, send: (request) => transport.send(request), close: async () => undefined },
    clock,
  )
  const logged = {
    ...log.transport,
    get reportsSent() {
      return transport.reportsSent
    },
  }
  return {
    clock,
    transport,
    report: () => log.list(),
    platform,
    requester: new Requester({ ...platform, transport: logged, features: { hints: hintFor } }, options),
    abort: new AbortController(),
  }
}

export function sliceOf(content: Uint8Array): Slice {
  const copy = new Uint8Array(content)
  return { start: 0, sizeBytes: copy.length, isLast: true, content: { kind: 'bytes', bytes: copy } }
}

/** A PATCH of so many bytes at offset 0, for an upload that exists. */
export function patch({ transport, abort }: Rig, sizeBytes = 1000, more: Partial<Call> = {}): Call {
  if (!transport.tus.uploads.has(UPLOAD)) transport.tus.begin(UPLOAD, { length: sizeBytes })
  return {
    method: 'PATCH',
    url: UPLOAD,
    headers: { ...TUS, 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' },
    body: async () => sliceOf(bytes(sizeBytes)),
    signal: abort.signal,
    ...more,
  }
}

export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => {
      throw new Error('it did not fail')
    },
    (error: unknown) => error,
  )
}

/** Lets the clock run, for an hour at most, until a call is over. */
export async function done<T>(it: Rig, call: Promise<T>): Promise<T> {
  const over: true[] = []
  const settled = (): void => void over.push(true)
  call.then(settled, settled)
  for (let seconds = 0; seconds < 3600 && over.length === 0; seconds += 1) await it.clock.advance(1000)
  expect(it.clock.pending).toBe(0)
  return await call
}
