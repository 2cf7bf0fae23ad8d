import assert from 'node:assert/strict'
import { type HookError, isHookError } from '../hooks/ports/hook-error.ts'
import type { HookCall, HookResponse, HookTransport, TusdUpload } from '../hooks/ports/transport.ts'

/** What a hook does when it is called. */
export type HookBehaviour =
  /** Answers so; the words are those of tusd's JSON, and may be wrong. */
  | { readonly answer: object }
  /** Succeeds and says nothing. */
  | 'nothing'
  /** Puts the upload's id into `ChangeFileInfo.MetaData.echo`. */
  | 'echo'
  /** Succeeds with something that is no answer of a hook. */
  | 'garbage'
  /** Answers, if ever, long after the transport's bound of time. */
  | 'silence'
  /** Says that it failed, and may succeed the next time. */
  | 'failure'
  /** Answers rightly, but more than 64 KiB. */
  | 'huge'

/** What a hook was told. */
export interface HeardCall {
  readonly type: string
  /** The event's id. */
  readonly id: string
  readonly attempt: number
  readonly upload: TusdUpload
}

/** The other end of a transport. */
export interface HookPeer {
  /** What it does in each call from now on. Until then: `nothing`. */
  behave(behaviour: HookBehaviour): Promise<void>
  /** What it does in the next call alone. */
  behaveOnce(behaviour: HookBehaviour): Promise<void>
  /** Everything it was told, in order. */
  heard(): Promise<readonly HeardCall[]>
  /** From now on nobody is there. */
  stop(): Promise<void>
  /** Somebody is there again, at the same place. */
  start(): Promise<void>
}

export interface HookTransportUnderTest {
  readonly transport: HookTransport
  readonly peer: HookPeer
  /** Closes both. */
  dispose(): Promise<void>
}

export interface HookTransportContractOptions {
  /** Declares one test, as the test runner at hand does it. */
  readonly test: (name: string, run: () => Promise<void>) => void
  /** Makes a transport that waits `timeoutMs` for an answer, and a hook at its other end. Called once per test. */
  readonly factory: (options: { readonly timeoutMs: number }) => Promise<HookTransportUnderTest>
}

interface ContractCase {
  readonly name: string
  readonly run: (subject: HookTransportUnderTest) => Promise<void>
}

/** Declares the tests that every `HookTransport` has to pass, with nothing skipped. */
export function hookTransportContract({ test, factory }: HookTransportContractOptions): void {
  for (const { name, run } of [...answerCases, ...failureCases, ...messageCases]) {
    test(name, async () => {
      const subject = await factory({ timeoutMs: TIMEOUT_MS })
      try {
        await run(subject)
      } finally {
        await subject.dispose()
      }
    })
  }
}

const TIMEOUT_MS = 1500
/** A transport may need a moment to end what it has given up. */
const SLACK_MS = 4000
const UPLOAD_ID = 'upload-00000000000000000001'

/** A call as the engine makes it. */
function sampleCall(type: HookCall['type'], overrides: Partial<HookCall> = {}): HookCall {
  return {
    type,
    id: `${UPLOAD_ID}.${type}`,
    attempt: 1,
    atMs: 1_700_000_000_000,
    event: {
      Upload: sampleUpload(),
      HTTPRequest: {
        Method: 'POST',
        URI: '/files/',
        RemoteAddr: '127.0.0.1',
        Header: { Host: ['localhost'] },
      },
    },
    facts: { Owner: null, ServerMetadata: {}, Status: 'receiving', CreatedAt: '2023-11-14T22:13:20.000Z' },
    ...overrides,
  }
}

function sampleUpload(overrides: Partial<TusdUpload> = {}): TusdUpload {
  return {
    ID: UPLOAD_ID,
    Size: 1000,
    SizeIsDeferred: false,
    Offset: 0,
    MetaData: {},
    IsPartial: false,
    IsFinal: false,
    PartialUploads: null,
    Storage: null,
    ...overrides,
  }
}

function never(): AbortSignal {
  return new AbortController().signal
}

function invoke(
  { transport }: HookTransportUnderTest,
  type: HookCall['type'],
  overrides?: Partial<HookCall>,
): Promise<HookResponse> {
  return transport.invoke(sampleCall(type, overrides), never())
}

async function failureOf(promise: Promise<unknown>): Promise<HookError> {
  const error: unknown = await promise.then(
    (value) => assert.fail(`resolved, where a failure was due: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  assert(isHookError(error), `not a HookError: ${String(error)}`)
  assert(error.message.length < 2000, 'a message for people is not that long')
  return error
}

/** Compares by what is said: a map of a parser may have no prototype. */
function assertSame(actual: unknown, expected: unknown): void {
  assert.equal(JSON.stringify(sorted(actual)), JSON.stringify(sorted(expected)))
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return entries.map(([key, item]) => [key, sorted(item)])
}

/** Metadata that is hard to carry: other alphabets, a key that is a trap in JavaScript, control characters. */
function hardMetadata(): Record<string, string> {
  return JSON.parse(
    '{"filename":"Ærø 📦 日本.png","__proto__":"polluted","constructor":"c","empty":"","lines":"a\\nb\\u0000c\\"\'$(id)"}',
  ) as Record<string, string>
}

const refusal = {
  HTTPResponse: {
    StatusCode: 403,
    Body: '{"message":"zu groß 📦"}',
    Header: { 'Content-Type': 'application/json' },
  },
}

const answerCases: readonly ContractCase[] = [
  {
    name: 'accepts: an empty answer, an answer without content',
    async run(subject) {
      assertSame(await invoke(subject, 'pre-create'), {})
      await subject.peer.behave({ answer: {} })
      assertSame(await invoke(subject, 'pre-create'), {})
    },
  },
  {
    name: 'rejects an upload, with an answer to the client',
    async run(subject) {
      await subject.peer.behave({ answer: { ...refusal, RejectUpload: true } })
      assertSame(await invoke(subject, 'pre-create'), { ...refusal, RejectUpload: true })
    },
  },
  {
    name: 'rejects a termination',
    async run(subject) {
      await subject.peer.behave({ answer: { ...refusal, RejectTermination: true } })
      assertSame(await invoke(subject, 'pre-terminate'), { ...refusal, RejectTermination: true })
    },
  },
  {
    name: 'changes id and metadata, whatever its keys are called',
    async run(subject) {
      const change = { ID: 'another-00000000000000000001', MetaData: hardMetadata() }
      await subject.peer.behave({ answer: { ChangeFileInfo: change } })
      const response = await invoke(subject, 'pre-create')
      assertSame(response, { ChangeFileInfo: change })
      assert(Object.hasOwn(response.ChangeFileInfo?.MetaData ?? {}, '__proto__'), '__proto__ was lost')
      assert.equal(Reflect.get({}, 'polluted'), undefined)
    },
  },
  {
    name: 'stops an upload',
    async run(subject) {
      await subject.peer.behave({ answer: { ...refusal, StopUpload: true } })
      assertSame(await invoke(subject, 'post-receive'), { ...refusal, StopUpload: true })
    },
  },
  {
    name: 'answers the last request',
    async run(subject) {
      const answer = { HTTPResponse: { Header: { Link: '<https://example.com/1>; rel="related"' } } }
      await subject.peer.behave({ answer })
      assertSame(await invoke(subject, 'pre-finish'), answer)
    },
  },
  {
    name: 'gives each of many calls at once its own answer',
    async run(subject) {
      await subject.peer.behave('echo')
      const ids = Array.from({ length: 12 }, (_, index) => `many-${String(index).padStart(20, '0')}`)
      const responses = await Promise.all(
        ids.map((ID) => {
          const { event } = sampleCall('pre-create')
          return invoke(subject, 'pre-create', { id: ID, event: { ...event, Upload: sampleUpload({ ID }) } })
        }),
      )
      assert.deepEqual(
        responses.map((response) => response.ChangeFileInfo?.MetaData?.['echo']),
        ids,
      )
    },
  },
]

const failureCases: readonly ContractCase[] = [
  {
    name: 'an answer that is none is a failure, which no repetition mends, where something is to be decided',
    async run(subject) {
      await subject.peer.behave('garbage')
      for (const type of ['pre-create', 'post-receive', 'pre-finish', 'pre-terminate'] as const) {
        const error = await failureOf(invoke(subject, type))
        assert.equal(error.code, 'bad-answer')
        assert.equal(error.retry, 'later')
      }
      assert.equal((await subject.peer.heard()).length, 4)
    },
  },
  {
    name: 'an answer that is none does not matter where nothing is to be decided',
    async run(subject) {
      await subject.peer.behave('garbage')
      assertSame(await invoke(subject, 'post-finish'), {})
      await subject.peer.behave('huge')
      assertSame(await invoke(subject, 'upload-expired'), {})
    },
  },
  {
    name: 'an answer with a value that cannot be used is a failure',
    async run(subject) {
      await subject.peer.behave({ answer: { HTTPResponse: { StatusCode: 42 }, RejectUpload: true } })
      const error = await failureOf(invoke(subject, 'pre-create'))
      assert.equal(error.code, 'bad-answer')
      assert.match(error.message, /StatusCode/)
    },
  },
  {
    name: 'more than 64 KiB is a failure, not memory',
    async run(subject) {
      await subject.peer.behave('huge')
      assert.equal((await failureOf(invoke(subject, 'pre-create'))).code, 'bad-answer')
      await subject.peer.behave('nothing')
      assertSame(await invoke(subject, 'pre-create'), {})
    },
  },
  {
    name: 'who does not answer in time has failed, and may be asked again',
    async run(subject) {
      await subject.peer.behave('silence')
      const startMs = Date.now()
      const error = await failureOf(invoke(subject, 'pre-create'))
      const tookMs = Date.now() - startMs
      assert.equal(error.code, 'timeout')
      assert.equal(error.retry, 'soon')
      assert(tookMs >= TIMEOUT_MS - 50 && tookMs < TIMEOUT_MS + SLACK_MS, `took ${tookMs} ms`)
      await subject.peer.behave('nothing')
      assertSame(await invoke(subject, 'pre-create'), {})
    },
  },
  {
    name: 'who is away has failed, and is asked again when back',
    async run(subject) {
      await subject.peer.stop()
      const error = await failureOf(invoke(subject, 'pre-create'))
      assert.notEqual(error.retry, 'never')
      await failureOf(invoke(subject, 'post-finish'))
      await subject.peer.start()
      assertSame(await soon(() => invoke(subject, 'pre-create')), {})
      assertSame(await invoke(subject, 'post-finish'), {})
    },
  },
  {
    name: 'a failure that passes: repeated by the transport, or by whoever is told that it can be',
    async run(subject) {
      for (const type of ['pre-create', 'post-finish'] as const) {
        await subject.peer.behaveOnce('failure')
        const response = await invoke(subject, type).catch((error: unknown) => {
          assert(isHookError(error), `not a HookError: ${String(error)}`)
          assert.equal(error.retry, 'soon')
          return invoke(subject, type)
        })
        assertSame(response, {})
      }
      const heard = await subject.peer.heard()
      assert.deepEqual(
        heard.map(({ id }) => id),
        ['pre-create', 'pre-create', 'post-finish', 'post-finish'].map((type) => `${UPLOAD_ID}.${type}`),
      )
    },
  },
  {
    name: 'a signal ends it with its reason, and at once',
    async run(subject) {
      await subject.peer.behave('silence')
      const controller = new AbortController()
      const reason = new Error('the server ends')
      const startMs = Date.now()
      const invoked = subject.transport.invoke(sampleCall('pre-create'), controller.signal)
      const outcome = invoked.then(
        () => 'resolved',
        (error: unknown) => error,
      )
      await until(async () => (await subject.peer.heard()).length > 0)
      controller.abort(reason)
      assert.equal(await outcome, reason)
      assert(Date.now() - startMs < TIMEOUT_MS, 'it waited for an answer')
    },
  },
  {
    name: 'nobody is called once the signal has aborted',
    async run(subject) {
      const reason = new Error('the server ends')
      const invoked = subject.transport.invoke(sampleCall('pre-create'), AbortSignal.abort(reason))
      assert.equal(await invoked.catch((error: unknown) => error), reason)
      assertSame(await invoke(subject, 'post-create'), {})
      assert.deepEqual(
        (await subject.peer.heard()).map(({ type }) => type),
        ['post-create'],
      )
    },
  },
]

const messageCases: readonly ContractCase[] = [
  {
    name: 'tells an upload as it is',
    async run(subject) {
      const Upload = sampleUpload({
        Size: 2 ** 52 + 1,
        Offset: 2 ** 52,
        MetaData: hardMetadata(),
        IsFinal: true,
        PartialUploads: ['one-0000000000000000000001', 'two-0000000000000000000002'],
        Storage: { Type: 'filestore', Path: '/data/Ærø/1' },
      })
      const { event } = sampleCall('post-finish')
      await invoke(subject, 'post-finish', { event: { ...event, Upload }, sequence: 7, attempt: 3 })
      const [heard] = await subject.peer.heard()
      assertSame(heard, { type: 'post-finish', id: `${UPLOAD_ID}.post-finish`, attempt: 3, upload: Upload })
      assert(Object.hasOwn(heard?.upload.MetaData ?? {}, '__proto__'), '__proto__ was lost')
    },
  },
  {
    name: 'tells of an upload that has no id and no length yet',
    async run(subject) {
      const Upload = sampleUpload({ ID: '', Size: 0, SizeIsDeferred: true })
      const { event } = sampleCall('pre-create')
      await invoke(subject, 'pre-create', { event: { ...event, Upload } })
      assertSame((await subject.peer.heard())[0]?.upload, Upload)
    },
  },
  {
    name: 'knows every type',
    async run(subject) {
      const types = ['pre-create', 'post-create', 'post-receive', 'pre-finish', 'post-finish'] as const
      const others = [
        'pre-terminate',
        'post-terminate',
        'post-progress',
        'upload-expired',
        'upload-failed',
      ] as const
      for (const type of [...types, ...others]) assertSame(await invoke(subject, type), {})
      assert.deepEqual(
        (await subject.peer.heard()).map(({ type }) => type),
        [...types, ...others],
      )
    },
  },
]

async function until(holds: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + TIMEOUT_MS
  while (!(await holds())) {
    assert(Date.now() < giveUpAt, 'waited in vain')
    await new Promise((resolve) => void setTimeout(resolve, 10))
  }
}

/** A connection may take a moment to be made again. */
async function soon<T>(call: () => Promise<T>): Promise<T> {
  const giveUpAt = Date.now() + SLACK_MS
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!isHookError(error) || Date.now() > giveUpAt) throw error
      await new Promise((resolve) => void setTimeout(resolve, 50))
    }
  }
}
