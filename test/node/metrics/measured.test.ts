import { expect, test } from 'vitest'
import type { BodySink } from '../../../src/core/ports/body.ts'
import type { Outcome } from '../../../src/server/exchange.ts'
import type { Handler } from '../../../src/server/handler.ts'
import { Interruptions } from '../../../src/node/metrics/interruptions.ts'
import { measured } from '../../../src/node/metrics/measured.ts'
import type { Recorder } from '../../../src/node/metrics/recorder.ts'
import { together } from '../../../src/node/metrics/recorder.ts'
import type { Exchange } from '../../../src/server/exchange.ts'

const PATH = `/files/${'a'.repeat(28)}`
const CHUNK = new Uint8Array(100)

function recording() {
  const told: string[] = []
  const tell =
    (name: string) =>
    (...values: readonly unknown[]): void =>
      void told.push([name, ...values.filter((value) => typeof value === 'number' && value >= 1)].join(' '))
  const recorder: Recorder = together([
    {
      requestBegan: tell('began'),
      requestEnded: tell('ended'),
      contentBegan: tell('content'),
      contentEnded: tell('content ended'),
      bytesReceived: tell('bytes'),
      resumed: tell('resumed'),
      bytesLost: tell('lost'),
      happened: tell('happened'),
      swept: tell('swept'),
    },
  ])
  return { told, recorder }
}

/** A PATCH at an offset with one chunk, of which no end is ever told. */
function patching(offset: string): Exchange {
  const signal = new AbortController().signal
  const idle = { pause: () => undefined, resume: () => undefined, stop: () => undefined }
  return {
    method: 'PATCH',
    target: PATH,
    httpVersion: '1.1',
    isSecure: false,
    peerAddress: undefined,
    expectsContinue: false,
    readsTrailers: false,
    body: { contentLength: 100, consume: (sink) => sink.data(CHUNK), ...idle },
    signal,
    header: (name) => (name === 'upload-offset' ? offset : undefined),
    headers: () => ({ 'upload-offset': [offset] }),
    sendContinue: () => undefined,
    terminate: () => undefined,
  }
}

/** Takes the content of each request and answers the next of these. */
function answering(outcomes: readonly Outcome[]): Handler {
  const left = [...outcomes]
  const sink: BodySink = { data: () => undefined, end: () => undefined }
  return async ({ body }) => {
    body.consume(sink)
    return left.shift()
  }
}

const answer = (status: number): Outcome => ({ status, headers: {} })

test.each([
  ['taken over', undefined, true],
  ['too slow', answer(408), true],
  ['a full disk', answer(507), true],
  ['stored', answer(204), false],
  ['a wrong checksum', answer(460), false],
])('after one that was %s', async (_what, first, isBreak) => {
  const { told, recorder } = recording()
  const interruptions = new Interruptions(recorder)
  const handler = measured(answering([first, answer(204)]), { recorder, interruptions, basePath: '/files/' })
  await handler(patching('20'))
  await handler(patching('70'))
  // It had come to 120.
  expect(told.filter((what) => /lost|resumed/.test(what))).toEqual(isBreak ? ['lost 50', 'resumed'] : [])
  expect(told.filter((what) => what.startsWith('bytes'))).toEqual(['bytes 100', 'bytes 100'])
})

test.each(['', '0x10', '1e3', '-5', '5, 5', '9'.repeat(400)])(
  '%j is no offset to go on from',
  async (offset) => {
    const { told, recorder } = recording()
    const interruptions = new Interruptions(recorder)
    const handler = measured(answering([undefined, answer(204)]), {
      recorder,
      interruptions,
      basePath: '/files/',
    })
    await handler(patching(offset))
    await handler(patching(offset))
    expect(told.filter((what) => /lost|resumed/.test(what))).toEqual([])
  },
)

test('a handler that throws leaves nothing running', async () => {
  const { told, recorder } = recording()
  const interruptions = new Interruptions(recorder)
  const failing: Handler = async ({ body }) => {
    body.consume({ data: () => undefined, end: () => undefined })
    throw new Error('a bug')
  }
  const handler = measured(failing, { recorder, interruptions, basePath: '/files/' })
  await expect(handler(patching('0'))).rejects.toThrow('a bug')
  expect(told).toEqual(['began', 'content', 'bytes 100', 'content ended', 'ended'])
})
