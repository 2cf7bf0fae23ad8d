import { describe, expect, test } from 'vitest'
import { isUploadError } from '../../src/core/errors.ts'
import { HookError } from '../../src/hooks/ports/hook-error.ts'
import type { HookType } from '../../src/hooks/hook-types.ts'
import { HOOK_TYPES } from '../../src/hooks/hook-types.ts'
import { remoteHooks } from '../../src/hooks/remote-hooks.ts'
import type { RemoteHooksOptions } from '../../src/hooks/remote-hooks.ts'
import type { HookCall, HookResponse, HookTransport } from '../../src/hooks/ports/transport.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { anotherId } from '../support/ids.ts'
import { aContext, aRecord, bareTransport, finishContext, progressContext } from './samples.ts'

interface Answering extends HookTransport {
  readonly calls: HookCall[]
}

/** A transport that answers so, or fails so. */
function answering(answer: HookResponse | Error = {}, name = 'one'): Answering {
  const calls: HookCall[] = []
  const invoke = async (call: HookCall): Promise<HookResponse> => {
    calls.push(call)
    if (answer instanceof Error) throw answer
    return answer
  }
  return { ...bareTransport(invoke, name), calls }
}

const broken = new HookError('unreachable', 'nobody there', { retry: 'soon' })
const refusal: HookResponse = { HTTPResponse: { StatusCode: 403, Body: 'no', Header: { 'X-Why': 'quota' } } }

function hooksOf(transports: readonly HookTransport[], options: Partial<RemoteHooksOptions> = {}) {
  const reports: unknown[] = []
  const report = (error: unknown): void => void reports.push(error)
  return { hooks: remoteHooks({ transports, types: HOOK_TYPES, report, ...options }), reports }
}

async function hookFailure(promise: unknown): Promise<unknown> {
  const error: unknown = await Promise.resolve(promise).then(
    () => 'resolved',
    (reason: unknown) => reason,
  )
  if (!isUploadError(error)) throw new Error('not an UploadError', { cause: error })
  expect(error.code).toBe('ERR_HOOK_FAILED')
  return error.cause
}

describe('methods are there for what is enabled', () => {
  test.each<[readonly HookType[] | undefined, readonly string[]]>([
    [undefined, ['onCreate', 'onProgress']],
    [[], []],
    [['post-create', 'post-finish', 'post-terminate', 'upload-failed', 'upload-expired'], []],
    [['pre-finish'], ['onFinish']],
    [['pre-terminate'], ['onTerminate']],
    [['post-progress'], ['onProgress']],
    [HOOK_TYPES, ['onCreate', 'onFinish', 'onProgress', 'onTerminate']],
  ])('%j', (types, methods) => {
    expect(Object.keys(remoteHooks({ transports: [answering()], types })).sort()).toEqual(methods)
  })

  test('none without a transport', () => {
    expect(remoteHooks({ transports: [] })).toEqual({})
  })
})

describe('pre-create', () => {
  test('is told what would be created, with all headers, and neither id nor place', async () => {
    const one = answering()
    const { hooks } = hooksOf([one], { storageOf: () => ({ Type: 'filestore' }) })
    expect(await hooks.onCreate?.(aContext({ owner: 'ann' }))).toBeUndefined()
    expect(one.calls).toMatchObject([
      {
        type: 'pre-create',
        id: `${aRecord().id}.pre-create`,
        attempt: 1,
        event: {
          Upload: { ID: '', Storage: null, Size: 1000, MetaData: { filename: 'a.png' } },
          HTTPRequest: {
            Method: 'POST',
            Header: { Authorization: ['Bearer open-sesame'], Cookie: ['session=secret-cake', 'theme=dark'] },
          },
        },
        facts: { Owner: 'ann' },
      },
    ])
    expect(one.calls[0]).not.toHaveProperty('sequence')
  })

  test('rejects, in the words of the hook or in the usual ones', async () => {
    const { hooks } = hooksOf([answering({ ...refusal, RejectUpload: true })])
    const answer = { status: 403, body: 'no', headers: { 'X-Why': 'quota' } }
    expect(await hooks.onCreate?.(aContext())).toEqual({ kind: 'reject', ...answer })
    expect(await hooksOf([answering({ RejectUpload: true })]).hooks.onCreate?.(aContext())).toEqual({
      kind: 'reject',
    })
  })

  test('changes id, metadata and the answer', async () => {
    const change = { ID: anotherId, MetaData: { checked: 'yes' } }
    const { hooks } = hooksOf([answering({ ...refusal, ChangeFileInfo: change })])
    expect(await hooks.onCreate?.(aContext())).toEqual({
      kind: 'change',
      id: anotherId,
      metadata: { checked: 'yes' },
      answer: { status: 403, body: 'no', headers: { 'X-Why': 'quota' } },
    })
  })

  test('may take all metadata away', async () => {
    const { hooks } = hooksOf([answering({ ChangeFileInfo: { MetaData: {} } })])
    expect(await hooks.onCreate?.(aContext())).toEqual({ kind: 'change', metadata: {} })
  })

  test('means nothing by what is for other hooks', async () => {
    const { hooks } = hooksOf([answering({ StopUpload: true, RejectTermination: true })])
    expect(await hooks.onCreate?.(aContext())).toBeUndefined()
  })

  test.each([
    [{ ID: 'short' }, /ID is not 22 to 64/],
    [{ ID: '../../../../etc/passwd/aaaaaaaa' }, /ID is not 22 to 64/],
    [{ ID: 'folder/0123456789012345678901' }, /ID is not 22 to 64/],
    [{ MetaData: { 'a b': '1' } }, /MetaData is not visible ASCII/],
    [{ MetaData: { 'a,b': '1' } }, /MetaData is not visible ASCII/],
    [{ MetaData: { '': '1' } }, /MetaData is not visible ASCII/],
    [{ Storage: { Path: 'x/y.bin' } }, /Storage is not supported/],
  ])('cannot follow %j: that is a failure', async (ChangeFileInfo, message) => {
    const { hooks } = hooksOf([answering({ ChangeFileInfo })])
    expect(await hookFailure(hooks.onCreate?.(aContext()))).toMatchObject({ code: 'bad-answer', message })
    const lenient = hooksOf([answering({ ChangeFileInfo })], { onFailure: 'accept' })
    expect(await lenient.hooks.onCreate?.(aContext())).toBeUndefined()
    expect(lenient.reports).toMatchObject([{ message }])
  })

  test('a refusal needs no change that makes sense', async () => {
    const { hooks } = hooksOf([answering({ RejectUpload: true, ChangeFileInfo: { ID: 'short' } })])
    expect(await hooks.onCreate?.(aContext())).toEqual({ kind: 'reject' })
  })
})

describe('several transports', () => {
  test('the first refusal holds, and nobody else is asked', async () => {
    const [first, second, third] = [answering(), answering({ RejectUpload: true }, 'two'), answering()]
    const { hooks } = hooksOf([first, second, third])
    expect(await hooks.onCreate?.(aContext())).toEqual({ kind: 'reject' })
    expect([first, second, third].map(({ calls }) => calls.length)).toEqual([1, 1, 0])
  })

  test('changes are merged, the later one wins, and none sees another', async () => {
    const first = answering({
      ChangeFileInfo: { ID: anotherId, MetaData: { by: 'first' } },
      HTTPResponse: { Header: { 'X-A': '1', 'X-B': '1' }, Body: 'first' },
    })
    const second = answering({
      ChangeFileInfo: { MetaData: { by: 'second' } },
      HTTPResponse: { StatusCode: 202, Header: { 'x-b': '2' } },
    })
    expect(await hooksOf([first, second]).hooks.onCreate?.(aContext())).toEqual({
      kind: 'change',
      id: anotherId,
      metadata: { by: 'second' },
      answer: { status: 202, body: 'first', headers: { 'X-A': '1', 'x-b': '2' } },
    })
    expect(second.calls[0]?.event).toEqual(first.calls[0]?.event)
  })

  test('one that fails spoils all, unless failures are accepted', async () => {
    const last = answering(refusal)
    expect(await hookFailure(hooksOf([answering(broken), last]).hooks.onFinish?.(finishContext()))).toBe(
      broken,
    )
    expect(last.calls).toHaveLength(0)
    const lenient = hooksOf([answering(broken), last], { onFailure: 'accept' })
    expect(await lenient.hooks.onFinish?.(finishContext())).toMatchObject({ status: 403 })
    expect(lenient.reports).toEqual([broken])
  })
})

describe('post-receive', () => {
  test('is told how much there is, and stops', async () => {
    const one = answering({ ...refusal, StopUpload: true })
    const { hooks } = hooksOf([one], { types: ['post-receive'] })
    expect(await hooks.onProgress?.(progressContext(500))).toEqual({
      kind: 'stop',
      status: 403,
      body: 'no',
      headers: { 'X-Why': 'quota' },
    })
    expect(one.calls).toMatchObject([
      { type: 'post-receive', event: { Upload: { ID: aRecord().id, Offset: 500 } } },
    ])
  })

  test('goes on without StopUpload, whatever else is answered', async () => {
    const { hooks } = hooksOf([answering({ ...refusal, RejectUpload: true })])
    expect(await hooks.onProgress?.(progressContext(500))).toBeUndefined()
  })

  test('stops no upload by failing', async () => {
    const { hooks, reports } = hooksOf([answering(broken), answering({ StopUpload: true })], {
      types: ['post-receive'],
    })
    expect(await hooks.onProgress?.(progressContext(500))).toEqual({ kind: 'stop' })
    expect(reports).toEqual([broken])
  })

  test('has another id each time', async () => {
    const one = answering()
    const { hooks } = hooksOf([one], { types: ['post-receive'] })
    await hooks.onProgress?.(progressContext(500))
    await hooks.onProgress?.(progressContext(500))
    expect(new Set(one.calls.map(({ id }) => id)).size).toBe(2)
  })
})

describe('post-progress', () => {
  test('tells everybody and waits for nobody', async () => {
    const told: HookCall[] = []
    const slow = bareTransport((call) => {
      told.push(call)
      return new Promise(() => undefined)
    })
    const other = answering({ StopUpload: true })
    const { hooks } = hooksOf([slow, other], { types: ['post-progress'] })
    expect(await hooks.onProgress?.(progressContext(500))).toBeUndefined()
    expect(told).toMatchObject([{ type: 'post-progress', event: { Upload: { Offset: 500 } } }])
    expect(other.calls).toHaveLength(1)
  })

  test('tells a slow listener less often, not more at once', async () => {
    const release: (() => void)[] = []
    const slow = bareTransport(() => new Promise((resolve) => void release.push(() => resolve({}))))
    const { hooks } = hooksOf([slow], { types: ['post-progress'] })
    await hooks.onProgress?.(progressContext(1))
    await hooks.onProgress?.(progressContext(2))
    expect(release).toHaveLength(1)
    await hooks.onProgress?.(progressContext(2, { upload: aRecord({ id: anotherId }) }))
    expect(release).toHaveLength(2)
    release[0]?.()
    await quiet()
    await hooks.onProgress?.(progressContext(3))
    expect(release).toHaveLength(3)
  })

  test('reports its failures', async () => {
    const { hooks, reports } = hooksOf([answering(broken)], { types: ['post-progress'] })
    await hooks.onProgress?.(progressContext(500))
    await quiet()
    expect(reports).toEqual([broken])
  })
})

describe('pre-finish', () => {
  test('answers the last request', async () => {
    const one = answering(refusal)
    const { hooks } = hooksOf([one], { storageOf: ({ id }) => ({ Type: 'filestore', Path: `/data/${id}` }) })
    expect(await hooks.onFinish?.(finishContext({ attempt: 2 }))).toEqual({
      status: 403,
      body: 'no',
      headers: { 'X-Why': 'quota' },
    })
    const { id } = aRecord()
    expect(one.calls).toMatchObject([
      { id: `${id}.pre-finish`, attempt: 2, event: { Upload: { ID: id, Storage: { Path: `/data/${id}` } } } },
    ])
  })

  test('leaves the usual answer where nothing is said', async () => {
    expect(await hooksOf([answering({ HTTPResponse: {} })]).hooks.onFinish?.(finishContext())).toBeUndefined()
    expect(await hooksOf([answering()]).hooks.onFinish?.(finishContext())).toBeUndefined()
  })

  test('may have no request behind it', async () => {
    const one = answering()
    await hooksOf([one]).hooks.onFinish?.(finishContext({ request: undefined }))
    const empty = { Method: '', URI: '', RemoteAddr: '', Header: {} }
    expect(one.calls[0]?.event.HTTPRequest).toEqual(empty)
  })
})

describe('pre-terminate', () => {
  test('rejects', async () => {
    const { hooks } = hooksOf([answering({ ...refusal, RejectTermination: true })])
    expect(await hooks.onTerminate?.(aContext())).toMatchObject({ kind: 'reject', status: 403 })
    expect(await hooksOf([answering(refusal)]).hooks.onTerminate?.(aContext())).toBeUndefined()
  })

  test('has another id each time: an earlier refusal is not the answer to a later question', async () => {
    const one = answering()
    const { hooks } = hooksOf([one])
    await hooks.onTerminate?.(aContext())
    await hooks.onTerminate?.(aContext())
    expect(new Set(one.calls.map(({ id }) => id)).size).toBe(2)
  })
})

describe('failures', () => {
  const asks = [
    ['pre-create', (hooks: ReturnType<typeof remoteHooks>) => hooks.onCreate?.(aContext())],
    ['pre-finish', (hooks: ReturnType<typeof remoteHooks>) => hooks.onFinish?.(finishContext())],
    ['pre-terminate', (hooks: ReturnType<typeof remoteHooks>) => hooks.onTerminate?.(aContext())],
  ] as const

  test.each(asks)('of %s refuse, with the cause for the log', async (_, ask) => {
    expect(await hookFailure(ask(hooksOf([answering(broken)]).hooks))).toBe(broken)
  })

  test.each(asks)('of %s accept when that is wanted, and are reported', async (_, ask) => {
    const { hooks, reports } = hooksOf([answering(broken)], { onFailure: 'accept' })
    expect(await ask(hooks)).toBeUndefined()
    expect(reports).toEqual([broken])
  })

  test('a decision has a bound of time over all transports, whatever they do', async () => {
    const clock = new FakeClock()
    const slow = bareTransport(async (_, signal) => {
      await new Promise<void>((resolve) => void clock.after(600, resolve))
      return signal.aborted ? Promise.reject(signal.reason) : {}
    })
    const stuck = bareTransport(() => new Promise(() => undefined), 'stuck')
    const { hooks } = hooksOf([slow, stuck], { clock, timeoutMs: 1000 })
    const failed = hookFailure(hooks.onCreate?.(aContext()))
    let isOver = false
    void failed.then(() => void (isOver = true))
    await clock.advance(999)
    expect(isOver).toBe(false)
    await clock.advance(1)
    expect(await failed).toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('stuck') as unknown,
    })
    expect(clock.pending).toBe(0)
  })

  test('a time that is none is refused', () => {
    expect(() => remoteHooks({ transports: [], timeoutMs: 0 })).toThrow(RangeError)
  })
})
