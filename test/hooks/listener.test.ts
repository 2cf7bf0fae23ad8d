import { describe, expect, test } from 'vitest'
import { listenerTransport } from '../../src/hooks/listener.ts'
import { HookError, isHookError } from '../../src/hooks/ports/hook-error.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { aCall, never } from './samples.ts'

describe('a listener', () => {
  test('may say itself when a repetition makes sense', async () => {
    const gone = new HookError('refused', 'the customer has left', { retry: 'never' })
    const transport = listenerTransport(() => {
      throw gone
    })
    await expect(transport.invoke(aCall('post-finish'), never())).rejects.toBe(gone)
  })

  test('that throws anything else has failed, and is asked again', async () => {
    const cause = new TypeError('undefined is not a function')
    const transport = listenerTransport(() => Promise.reject(cause), { name: 'mine' })
    const error: unknown = await transport
      .invoke(aCall('post-finish'), never())
      .catch((thrown: unknown) => thrown)
    expect(isHookError(error)).toBe(true)
    expect(error).toMatchObject({ code: 'refused', retry: 'soon', cause })
    expect(String(error)).toBe('HookError: The listener mine for post-finish failed')
  })

  test('is told when its time is up', async () => {
    const clock = new FakeClock()
    const reasons: unknown[] = []
    const transport = listenerTransport(
      (_, signal) => {
        signal.addEventListener('abort', () => reasons.push(signal.reason))
        return new Promise(() => undefined)
      },
      { clock, timeoutMs: 1000 },
    )
    const failed = transport.invoke(aCall('post-finish'), never()).catch((error: unknown) => error)
    await clock.advance(1000)
    expect(await failed).toMatchObject({ code: 'timeout' })
    expect(reasons).toEqual([await failed])
    expect(clock.pending).toBe(0)
  })

  test('needs a bound of time', () => {
    expect(() => listenerTransport(() => undefined, { timeoutMs: Infinity })).toThrow(RangeError)
  })
})
