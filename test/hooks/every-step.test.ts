import { expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import { createEngine } from '../../src/core/engine.ts'
import type { Engine } from '../../src/core/engine.ts'
import type { Catalog } from '../../src/core/ports/catalog.ts'
import type { UploadId } from '../../src/core/upload-id.ts'
import { eventSinkOf, listenerTransport, startDelivery } from '../../src/hooks/index.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { bytes } from '../support/bytes.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { appending, creation, lasting } from '../support/rig.ts'

/** Dies at one call to the outside: before it takes effect, or right after. */
class Life {
  #callsLeft: number
  readonly #dies: 'before' | 'after'
  isOver = false
  calls = 0

  constructor(callsLeft: number, dies: 'before' | 'after') {
    this.#callsLeft = callsLeft
    this.#dies = dies
  }

  /** A part of the outside in the hands of this process. What is asked for after the death never comes. */
  holds<T extends object>(part: T): T {
    return new Proxy(part, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (name === 'queues') return this.holds(value as object)
        if (typeof value !== 'function') return value
        return (...given: readonly unknown[]): unknown =>
          this.#call(() => Reflect.apply(value, target, given))
      },
    })
  }

  #call(work: () => unknown): unknown {
    if (this.isOver) return never()
    this.calls += 1
    this.#callsLeft -= 1
    if (this.#callsLeft !== 0) return this.#lived(work())
    if (this.#dies === 'after') void Promise.resolve(work()).catch(() => undefined)
    this.isOver = true
    return never()
  }

  #lived(result: unknown): unknown {
    if (!(result instanceof Promise)) return result
    return result.then((known: unknown) => {
      if (this.isOver) return never()
      return typeof known === 'object' && known !== null && 'rollback' in known ? this.holds(known) : known
    })
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}

/** What the application has heard, over all processes. */
interface Heard {
  readonly events: string[]
  /** Attempts of the finish handler of which the answer was given. */
  readonly finished: number[]
}

interface World {
  readonly store: ReturnType<typeof memoryStore>
  readonly catalog: Catalog
  readonly clock: FakeClock
  readonly heard: Heard
}

interface Process {
  readonly engine: Engine
  close(): void
}

function start(world: World, life: Life): Process {
  const { clock, heard } = world
  const catalog = life.holds(world.catalog)
  const transport = listenerTransport(({ type, event, id }) => {
    if (life.isOver) return never()
    heard.events.push(`${type} ${event.Upload.ID} ${id}`)
    return undefined
  })
  const engine = createEngine({
    store: life.holds(world.store),
    catalog,
    clock,
    sinks: [eventSinkOf(transport)],
    hooks: {
      onFinish: ({ attempt }) => {
        if (life.isOver) return never()
        heard.finished.push(attempt)
        return { body: `attempt ${attempt}` }
      },
    },
  })
  const deliverer = startDelivery({ queues: catalog.queues, transport, clock, leaseMs: 1000 })
  return { engine, close: () => void deliverer.close({ graceMs: 0 }) }
}

/** A client's whole upload. @returns What it was told before the process died. */
async function upload({ engine }: Process, clock: FakeClock): Promise<{ id?: UploadId; isDone: boolean }> {
  const told: { id?: UploadId; isDone: boolean } = { isDone: false }
  const run = async (): Promise<void> => {
    const { id } = await engine.create(creation({ length: 10 }))
    told.id = id
    await engine.append(id, appending(0, bytes(4)))
    await engine.append(id, appending(4, bytes(10).subarray(4)))
    told.isDone = true
  }
  void run().catch(() => undefined)
  for (let turn = 0; turn < 40; turn += 1) await clock.advance(50)
  return told
}

function world(): World {
  const clock = new FakeClock()
  return {
    clock,
    store: memoryStore({ clock }),
    catalog: lasting(memoryCatalog()),
    heard: { events: [], finished: [] },
  }
}

async function callsOfAWholeLife(): Promise<number> {
  const one = world()
  const life = new Life(Infinity, 'before')
  const process = start(one, life)
  expect(await upload(process, one.clock)).toMatchObject({ isDone: true })
  expect(one.heard.events).toHaveLength(2)
  process.close()
  return life.calls
}

const CALLS = await callsOfAWholeLife()

test('there are many steps to die at', () => {
  expect(CALLS).toBeGreaterThan(15)
})

test.each(Array.from({ length: CALLS }, (_, index) => index + 1))(
  'a process that dies at call %i loses no event and no answer',
  async (call) => {
    for (const when of ['before', 'after'] as const) {
      const one = world()
      const first = start(one, new Life(call, when))
      const told = await upload(first, one.clock)
      first.close()
      const second = start(one, new Life(Infinity, 'before'))
      await second.engine.recover()
      for (let turn = 0; turn < 60; turn += 1) await one.clock.advance(100)
      second.close()
      check(one, told, await one.catalog.list({ limit: 10 }), `${when} call ${call}`)
    }
  },
)

function check(
  { heard }: World,
  told: { readonly id?: UploadId; readonly isDone: boolean },
  records: Awaited<ReturnType<Catalog['list']>>,
  when: string,
): void {
  // A creation that nobody was told of may be there or not; it has its events all the same.
  expect(records.length, when).toBeLessThanOrEqual(1)
  const [record] = records
  if (told.id !== undefined) expect(record?.id, when).toBe(told.id)
  if (told.isDone) expect(record?.status, when).toBe('complete')
  const types = heard.events.map((event) => event.split(' ', 1).join(''))
  // Repeated, perhaps; each once at least, and never out of order.
  const wanted =
    record === undefined
      ? []
      : record.status === 'complete'
        ? ['post-create', 'post-finish']
        : ['post-create']
  expect([...new Set(types)], when).toEqual(wanted)
  expect(types, when).toEqual([...types].sort((one, other) => one.localeCompare(other)))
  expect(new Set(heard.events).size, 'the same id in each delivery').toBe(wanted.length)
  if (record?.status !== 'complete') return
  // The last attempt is the one whose answer is kept, and nobody was asked after it.
  const answer = new TextDecoder().decode(record.handling?.answer?.body)
  expect(answer, when).toBe(`attempt ${heard.finished.at(-1)}`)
}
