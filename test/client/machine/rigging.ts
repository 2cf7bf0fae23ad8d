import { createHash, randomBytes } from 'node:crypto'
import { FakeClock, quiet } from '../../support/fake-clock.ts'
import { ScriptedTransport } from '../scripted-transport.ts'
import type { TusBehaviour } from '../memory-tus.ts'
import type { UploadEvent } from '../../../src/client/events.ts'
import { nodeHashing } from '../../../src/client/hashing/node.ts'
import type { UploadOptions } from '../../../src/client/options.ts'
import type { Connectivity, Platform } from '../../../src/client/ports/platform.ts'
import type { Source } from '../../../src/client/ports/source.ts'
import { mayBecome } from '../../../src/client/state.ts'
import { openContent } from '../../../src/client/sources/open-content.ts'
import { IterableUpload } from '../../../src/client/event-iterator.ts'
import { nodePlatform } from '../../../src/client/node.ts'

export const ENDPOINT = 'https://example.com/files'
export const KiB = 1024
const DAY_MS = 24 * 60 * 60_000
export const MiB: number = 1024 * KiB

/** A machine's world without I/O: scripted transport, clock moved by hand, jitter that is always the upper bound. */
export class Rig {
  readonly clock: FakeClock = new FakeClock()
  readonly transport: ScriptedTransport
  readonly events: UploadEvent[] = []
  readonly platform: Platform
  online: FakeConnectivity | undefined
  #made = 0

  constructor(behaviour: Partial<TusBehaviour> = {}, overrides: Partial<Platform> = {}) {
    this.transport = new ScriptedTransport(behaviour)
    this.platform = {
      transport: this.transport,
      clock: this.clock,
      random: () => 1,
      newId: () => `id-${(this.#made += 1)}`,
      openSource: async (input, options) => (isSource(input) ? input : openContent(input, options)),
      hashing: nodeHashing(),
      urlStorage: undefined,
      connectivity: undefined,
      features: nodePlatform().features,
      ...overrides,
    }
  }

  /** An upload whose events are kept. */
  upload(input: unknown, options: UploadOptions = {}): IterableUpload {
    const upload = new IterableUpload(this.platform, input, { endpoint: ENDPOINT, ...options })
    for (const type of ['progress', 'state', 'url', 'error', 'warning', 'complete'] as const) {
      upload.on(type, (event) => this.events.push({ type, ...event } as UploadEvent))
    }
    upload.on('state', ({ previous, state }) => {
      if (!mayBecome(previous, state)) throw new Error(`there is no arrow from ${previous} to ${state}`)
    })
    return upload
  }

  /** Moves time on until the promise settles. */
  async finish<T>(promise: Promise<T>, limitMs: number = DAY_MS): Promise<T> {
    const state = { isSettled: false }
    const settle = (): void => void (state.isSettled = true)
    promise.then(settle, settle)
    const endMs = this.clock.nowMs() + limitMs
    for (let stepMs = 10; !state.isSettled; stepMs = Math.min(stepMs * 1.5, 5000)) {
      await this.clock.advance(stepMs)
      // Digests and Blobs come from threads.
      for (let turn = 0; turn < 5 && !state.isSettled; turn += 1) await quiet()
      if (this.clock.nowMs() > endMs)
        throw new Error(`nothing after ${limitMs} ms: ${this.transport.methods.join(' ')}`)
    }
    return await promise
  }

  of<Type extends UploadEvent['type']>(type: Type): Extract<UploadEvent, { type: Type }>[] {
    return this.events.filter((event): event is Extract<UploadEvent, { type: Type }> => event.type === type)
  }

  get states(): string[] {
    return this.of('state').map(({ state }) => state)
  }

  content(url: string | undefined): Uint8Array | undefined {
    return this.transport.tus.uploads.get(url ?? '')?.content
  }

  /** `METHOD status` of all requests. */
  get exchanges(): string[] {
    return this.transport.requests.map(({ method, status }) => `${method} ${status ?? '-'}`)
  }
}

export class FakeConnectivity implements Connectivity {
  isOnline = true
  readonly #listeners = new Set<() => void>()

  onOnline(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  set(isOnline: boolean): void {
    this.isOnline = isOnline
    if (isOnline) for (const listener of this.#listeners) listener()
  }
}

export function bytes(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(randomBytes(size))
}

export function digest(content: Uint8Array | undefined): string | undefined {
  return content && createHash('sha256').update(content).digest('hex')
}

/** A stream that cannot go back. */
export async function* stream(
  content: Uint8Array,
  pieceBytes = 10_000,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < content.length; at += pieceBytes) yield content.slice(at, at + pieceBytes)
}

/** A source whose answers can be changed, with the traits of a file. */
export function fileLike(content: Uint8Array<ArrayBuffer>, changes: Partial<Source> = {}): Source {
  const source = openContent(content, { replayBufferBytes: 0 })
  return {
    sizeBytes: source.sizeBytes,
    isRewindable: true,
    slice: (start, maxBytes, signal) => source.slice(start, maxBytes, signal),
    release: () => undefined,
    verify: async () => undefined,
    close: async () => undefined,
    traits: { name: 'holiday.mp4', type: 'video/mp4', path: '/home/me/holiday.mp4', modifiedMs: 1000 },
    ...changes,
  }
}

function isSource(input: unknown): input is Source {
  return typeof input === 'object' && input !== null && 'slice' in input && 'isRewindable' in input
}
