import { describe, expect, test } from 'vitest'
import type { CreateDecision, FinishAnswer, HookContext, Hooks } from '../../src/core/ports/hooks.ts'
import { combineHooks } from '../../src/hooks/combine.ts'
import { anotherId } from '../support/ids.ts'
import { aContext, aRecord, finishContext, progressContext } from './samples.ts'

/** Hooks that decide a creation so, and what they were asked. */
function creating(decision: CreateDecision): Hooks & { readonly seen: HookContext[] } {
  const seen: HookContext[] = []
  return {
    seen,
    onCreate(context) {
      seen.push(context)
      return decision
    },
  }
}

const finishing = (answer: FinishAnswer | undefined): Hooks => ({ onFinish: () => answer })

describe('combined hooks', () => {
  test('have a method where one has it', () => {
    expect(Object.keys(combineHooks())).toEqual([])
    expect(Object.keys(combineHooks({}, {}))).toEqual([])
    const some = combineHooks({ onTerminate: () => undefined }, { onAppend: () => undefined })
    expect(Object.keys(some).sort()).toEqual(['onAppend', 'onTerminate'])
    const all: Hooks = {
      onCreate: () => undefined,
      onAppend: () => undefined,
      onProgress: () => undefined,
      onFinish: () => undefined,
      onTerminate: () => undefined,
    }
    expect(Object.keys(combineHooks({}, all)).sort()).toEqual(Object.keys(all).sort())
  })

  test('are what they are when they are alone', () => {
    const only = creating(undefined)
    expect(combineHooks(only)).toBe(only)
  })

  test('keep their `this`', async () => {
    class Mine implements Hooks {
      readonly #status = 418
      onTerminate() {
        return { kind: 'reject', status: this.#status } as const
      }
    }
    expect(await combineHooks({}, new Mine()).onTerminate?.(aContext())).toEqual({
      kind: 'reject',
      status: 418,
    })
  })
})

describe('a creation', () => {
  test('is accepted when all accept', async () => {
    const hooks = [creating(undefined), creating(undefined)]
    expect(await combineHooks(...hooks).onCreate?.(aContext())).toBeUndefined()
    expect(hooks.map(({ seen }) => seen.length)).toEqual([1, 1])
  })

  test('is refused by the first that refuses, changes or not', async () => {
    const hooks = [
      creating({ kind: 'change', owner: 'ann' }),
      creating({ kind: 'reject', status: 402 }),
      creating({ kind: 'reject', status: 403 }),
    ]
    expect(await combineHooks(...hooks).onCreate?.(aContext())).toEqual({ kind: 'reject', status: 402 })
    expect(hooks.map(({ seen }) => seen.length)).toEqual([1, 1, 0])
  })

  test('has the changes of all, and each sees those before it', async () => {
    const first = creating({
      kind: 'change',
      id: anotherId,
      owner: 'ann',
      metadata: { by: 'first' },
      serverMetadata: { a: 1, b: 1 },
      limits: { maxSizeBytes: 5, expireAfterMs: 1 },
      answer: { status: 202, headers: { 'x-a': '1' } },
    })
    const second = creating({
      kind: 'change',
      id: undefined,
      metadata: { by: 'second' },
      serverMetadata: { b: 2 },
      limits: { maxSizeBytes: 7, expireAfterMs: undefined },
      answer: { headers: { 'X-A': '2' } },
    })
    const third = creating(undefined)
    expect(await combineHooks(first, second, third).onCreate?.(aContext())).toEqual({
      kind: 'change',
      id: anotherId,
      owner: 'ann',
      metadata: { by: 'second' },
      serverMetadata: { a: 1, b: 2 },
      limits: { maxSizeBytes: 7, expireAfterMs: 1 },
      answer: { status: 202, headers: { 'X-A': '2' } },
    })
    expect(first.seen[0]?.upload).toEqual(aRecord())
    expect(second.seen[0]?.upload).toEqual(
      aRecord({
        id: anotherId,
        owner: 'ann',
        metadata: { by: 'first' },
        serverMetadata: { a: 1, b: 1 },
        limits: { maxSizeBytes: 5, expireAfterMs: 1 },
      }),
    )
    expect(third.seen[0]?.upload).toMatchObject({
      metadata: { by: 'second' },
      serverMetadata: { a: 1, b: 2 },
      limits: { maxSizeBytes: 7, expireAfterMs: 1 },
    })
  })

  test('fails when one fails', async () => {
    const failing: Hooks = {
      onCreate: () => {
        throw new Error('no database')
      },
    }
    const last = creating(undefined)
    await expect(combineHooks(failing, last).onCreate?.(aContext())).rejects.toThrow('no database')
    expect(last.seen).toEqual([])
  })
})

describe('other decisions', () => {
  test('the first that refuses or stops an append', async () => {
    const context = { ...aContext(), offset: 0, contentLength: undefined }
    const combined = combineHooks(
      { onAppend: () => undefined },
      { onAppend: async () => ({ kind: 'stop', status: 410 }) },
      { onAppend: () => ({ kind: 'reject' }) },
    )
    expect(await combined.onAppend?.(context)).toEqual({ kind: 'stop', status: 410 })
  })

  test('the first that stops by progress', async () => {
    const combined = combineHooks(
      {},
      { onProgress: () => undefined },
      { onProgress: () => ({ kind: 'stop' }) },
    )
    expect(await combined.onProgress?.(progressContext(1))).toEqual({ kind: 'stop' })
  })

  test('the first that refuses a termination', async () => {
    const combined = combineHooks(
      { onTerminate: () => undefined },
      { onTerminate: () => ({ kind: 'reject' }) },
    )
    expect(await combined.onTerminate?.(aContext())).toEqual({ kind: 'reject' })
  })

  test('answers to the last request are merged part by part', async () => {
    const combined = combineHooks(
      finishing({ status: 200, headers: { Link: 'a', 'X-A': '1' }, body: 'first' }),
      finishing(undefined),
      finishing({ headers: { 'x-a': '2' }, body: new Uint8Array([1]) }),
    )
    expect(await combined.onFinish?.(finishContext())).toEqual({
      status: 200,
      headers: { Link: 'a', 'x-a': '2' },
      body: new Uint8Array([1]),
    })
    expect(await combineHooks(finishing(undefined), {}).onFinish?.(finishContext())).toBeUndefined()
  })
})
