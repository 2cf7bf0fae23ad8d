import { createServer } from 'node:http'
import { expect, test, vi } from 'vitest'
import type { Served } from '../../src/adapters/once.ts'
import { openOnce } from '../../src/adapters/once.ts'
import { afterTest } from '../e2e/support/after-test.ts'
import { http1Client } from './support/client.ts'
import { listening } from './support/stage.ts'

const served: Served = {
  fetch: async () => new Response('opened'),
  listener: (_request, response) => void response.end('opened'),
}
const request = new Request('http://127.0.0.1/')

test('nothing is opened before the first request, and then once', async () => {
  const open = vi.fn(async () => served)
  const uploads = openOnce('first', open)
  expect(open).not.toHaveBeenCalled()
  await Promise.all([uploads.fetch(request), uploads.fetch(request)])
  expect(open).toHaveBeenCalledTimes(1)
})

test('a module that is loaded again gets what is open already', async () => {
  const before = vi.fn(async () => served)
  const after = vi.fn(async () => served)
  await openOnce('reloaded', before).fetch(request)
  expect(await (await openOnce('reloaded', after).fetch(request))?.text()).toBe('opened')
  expect(after).not.toHaveBeenCalled()
  await openOnce('another name', after).fetch(request)
  expect(after).toHaveBeenCalledTimes(1)
})

test('a failure is told, and the next request tries again', async () => {
  const open = vi.fn<() => Promise<Served>>().mockRejectedValueOnce(new Error('the disk is not there'))
  open.mockResolvedValue(served)
  const uploads = openOnce('failing', open)
  await expect(uploads.fetch(request)).rejects.toThrow('the disk is not there')
  expect(await (await uploads.fetch(request))?.text()).toBe('opened')
})

test('a listener answers 500 when it cannot be opened, and its reason is not lost', async () => {
  const uploads = openOnce('failing listener', () => Promise.reject(new Error('the disk is not there')))
  const unhandled = new Promise((resolve) => {
    const listeners = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    process.once('unhandledRejection', resolve)
    afterTest(() => {
      for (const listener of listeners) process.on('unhandledRejection', listener)
    })
  })
  const running = await listening(createServer(uploads.listener))
  afterTest(() => running.stop())
  const client = http1Client(running.origin)
  afterTest(() => client.close())
  expect((await client.ask({ method: 'GET', path: '/' })).status).toBe(500)
  expect(await unhandled).toMatchObject({ message: 'the disk is not there' })
})
