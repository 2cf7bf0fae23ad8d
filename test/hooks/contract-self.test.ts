import { describe, test } from 'vitest'
import type { HookCall, HookResponse, HookTransport } from '../../src/hooks/ports/transport.ts'
import { hookTransportContract } from '../../src/testing/hook-contract.ts'
import { listenerUnderTest } from './peers.ts'

type Invoke = HookTransport['invoke']
type Breakage = (invoke: Invoke) => Invoke

/** Runs the contract over a transport that is broken in one way. @returns The tests that notice. */
async function noticing(breakage: Breakage): Promise<string[]> {
  const noticed: string[] = []
  const running: Promise<void>[] = []
  hookTransportContract({
    test(name, run) {
      running.push(run().catch(() => void noticed.push(name)))
    },
    async factory(options) {
      const subject = await listenerUnderTest(options)
      const { name } = subject.transport
      const invoke = breakage((call, signal) => subject.transport.invoke(call, signal))
      return { ...subject, transport: { name, invoke } }
    },
  })
  await Promise.all(running)
  return noticed
}

const withUpload = (call: HookCall, change: object): HookCall => ({
  ...call,
  event: { ...call.event, Upload: { ...call.event.Upload, ...change } },
})

const without = (response: HookResponse, name: keyof HookResponse): HookResponse =>
  Object.fromEntries(Object.entries(response).filter(([key]) => key !== name))

const breakages: readonly (readonly [string, Breakage])[] = [
  ['accepts whatever goes wrong', (invoke) => (call, signal) => invoke(call, signal).catch(() => ({}))],
  [
    'fails with anything',
    (invoke) => (call, signal) =>
      invoke(call, signal).catch(() => {
        throw new Error('broken')
      }),
  ],
  ['ignores the signal', (invoke) => (call) => invoke(call, new AbortController().signal)],
  [
    'forgets a refusal',
    (invoke) => async (call, signal) => without(await invoke(call, signal), 'RejectUpload'),
  ],
  [
    'forgets a refused termination',
    (invoke) => async (call, signal) => without(await invoke(call, signal), 'RejectTermination'),
  ],
  ['forgets to stop', (invoke) => async (call, signal) => without(await invoke(call, signal), 'StopUpload')],
  [
    'forgets the answer',
    (invoke) => async (call, signal) => without(await invoke(call, signal), 'HTTPResponse'),
  ],
  [
    'loses metadata with hard names',
    (invoke) => async (call, signal) => {
      const response = await invoke(call, signal)
      const { ID, MetaData } = response.ChangeFileInfo ?? {}
      if (MetaData === undefined || ID === undefined) return response
      const kept: Record<string, string> = {}
      for (const [key, value] of Object.entries(MetaData)) kept[key] = value
      return { ...response, ChangeFileInfo: { ID, MetaData: kept } }
    },
  ],
  ['tells another id', (invoke) => (call, signal) => invoke({ ...call, id: `${call.id}x` }, signal)],
  ['tells another attempt', (invoke) => (call, signal) => invoke({ ...call, attempt: 1 }, signal)],
  ['tells another size', (invoke) => (call, signal) => invoke(withUpload(call, { Size: 1 }), signal)],
  ['tells no metadata', (invoke) => (call, signal) => invoke(withUpload(call, { MetaData: {} }), signal)],
  [
    'tells of each upload as of one',
    (invoke) => (call, signal) => invoke(withUpload(call, { ID: 'x' }), signal),
  ],
  ['tells nothing', () => async () => ({})],
  [
    'tells twice',
    (invoke) => async (call, signal) => {
      await invoke(call, signal)
      return invoke(call, signal)
    },
  ],
  [
    'swallows an event',
    (invoke) => async (call, signal) => (call.type === 'upload-expired' ? {} : invoke(call, signal)),
  ],
]

describe.concurrent('the contract of transports', () => {
  test('holds for the transport that is broken below', async ({ expect }) => {
    expect(await noticing((invoke) => invoke)).toEqual([])
  })

  test.for(breakages)('notices a transport that %s', async ([, breakage], { expect }) => {
    expect(await noticing(breakage)).not.toEqual([])
  })
})
