import { describe, expect, test } from 'vitest'
import { memoryCatalog } from '../../src/catalogs/memory/index.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { memoryStore } from '../../src/stores/memory/index.ts'
import { bytes } from '../support/bytes.ts'
import { FakeClock, quiet } from '../support/fake-clock.ts'
import { gate, withFaults } from '../support/faults.ts'
import { PushBody, sent } from '../support/push-body.ts'
import type { Rig } from '../support/rig.ts'
import { appending, codeOf, contentOf, creation, lasting, recorded, rig } from '../support/rig.ts'

const CONTENT = bytes(1000)

interface Running {
  readonly one: Rig
  readonly record: UploadRecord
  readonly body: PushBody
  /** How the append ends. */
  readonly code: Promise<string>
}

/** An upload of 1,000 bytes with an append under way that has brought 300. */
async function running(one: Rig = rig()): Promise<Running> {
  const record = await one.engine.create(creation({ length: 1000 }))
  const body = new PushBody(1000)
  const code = codeOf(one.engine.append(record.id, appending(0, body)))
  await quiet()
  body.push(CONTENT.subarray(0, 300))
  return { one, record, body, code }
}

describe('a newer append', () => {
  test('stops the older one, whose bytes are kept; at its offset it goes on', async () => {
    const { one, record, body, code } = await running()
    const next = one.engine.append(record.id, appending(300, CONTENT.subarray(300)))
    await one.clock.advance(25)
    expect(await code).toBe('ERR_UPLOAD_STOPPED')
    expect(body.stopped).toBe(true)
    const done = await next
    expect(done.status).toBe('complete')
    expect(await contentOf(one, done)).toEqual(CONTENT)
  })

  test('at the same offset has lost: the older one has written there', async () => {
    const { one, record, code } = await running()
    const next = codeOf(one.engine.append(record.id, appending(0, CONTENT)))
    await one.clock.advance(25)
    expect([await code, await next]).toEqual(['ERR_UPLOAD_STOPPED', 'ERR_MISMATCHED_OFFSET'])
    expect(await recorded(one, record.id)).toMatchObject({ offset: 300, status: 'receiving' })
  })

  test('comes too late for one that is fully received', async () => {
    const { one, record, body, code } = await running()
    const next = codeOf(one.engine.append(record.id, appending(300, CONTENT.subarray(300))))
    await quiet()
    body.push(CONTENT.subarray(300))
    body.end()
    await one.clock.advance(25)
    expect([await code, await next]).toEqual(['none', 'ERR_MISMATCHED_OFFSET'])
  })

  test('gets 423 after a second when the store cannot finish the older write', async () => {
    const clock = new FakeClock()
    const real = memoryStore({ clock })
    const stuck = gate()
    const store = withFaults(real, {
      open: async (record, right) => {
        const appender = await real.open(record, right)
        return withFaults(appender, { commit: () => stuck.passed.then(() => appender.commit()) })
      },
    })
    const { one, record, code } = await running(rig({ clock, store }))
    const next = codeOf(one.engine.append(record.id, appending(300, CONTENT.subarray(300))))
    const look = codeOf(one.engine.retrieve(record.id))
    await clock.advance(1000)
    expect([await next, await look]).toEqual(['ERR_UPLOAD_LOCKED', 'ERR_UPLOAD_LOCKED'])
    stuck.open()
    expect(await code).toBe('ERR_UPLOAD_STOPPED')
    expect(await one.engine.retrieve(record.id)).toMatchObject({ offset: 300 })
  })
})

test('ten appends at once: every byte is written once, by one of them', async () => {
  const one = rig()
  const { id } = await one.engine.create(creation({ length: 1000 }))
  const codes = Array.from({ length: 10 }, () => codeOf(one.engine.append(id, appending(0, sent(CONTENT)))))
  await one.clock.advance(2000)
  const won = (await Promise.all(codes)).filter((code) => code === 'none')
  expect(won).toHaveLength(1)
  expect(await contentOf(one, await one.engine.retrieve(id))).toEqual(CONTENT)
})

describe('who asks for the offset', () => {
  test('in order to resume stops a running append, and gets an offset that is accepted', async () => {
    const { one, record, code } = await running()
    const retrieved = one.engine.retrieve(record.id)
    await one.clock.advance(25)
    const { offset } = await retrieved
    expect([await code, offset]).toEqual(['ERR_UPLOAD_STOPPED', 300])
    const done = await one.engine.append(record.id, appending(offset, CONTENT.subarray(offset)))
    expect(await contentOf(one, done)).toEqual(CONTENT)
  })

  test('just looking stops nobody and waits for nobody', async () => {
    const { one, record, body, code } = await running()
    expect(await one.engine.look(record.id)).toMatchObject({ offset: 0 })
    await one.clock.advance(1000)
    expect(body.stopped).toBe(false)
    body.push(CONTENT.subarray(300))
    body.end()
    expect(await code).toBe('none')
  })

  test('while all has arrived waits for the end of that append', async () => {
    const { one, record, body, code } = await running()
    const retrieved = one.engine.retrieve(record.id)
    body.push(CONTENT.subarray(300))
    body.end()
    expect(await retrieved).toMatchObject({ offset: 1000, status: 'complete' })
    expect(await code).toBe('none')
  })
})

describe('a lease that was lost', () => {
  /** A catalog in which another process takes the upload over whenever the test says so. */
  function contested(): { catalog: ReturnType<typeof memoryCatalog>; takeOver: () => void } {
    const real = memoryCatalog()
    let isLost = false
    const catalog = withFaults(real, {
      update: (id, guard, change, events) =>
        isLost ? Promise.resolve(false) : real.update(id, guard, change, events),
    })
    return { catalog, takeOver: () => void (isLost = true) }
  }

  test('never acknowledges: the append fails, the record stands', async () => {
    const { catalog, takeOver } = contested()
    const { one, record, body, code } = await running(rig({ catalog }))
    takeOver()
    body.push(CONTENT.subarray(300))
    body.end()
    expect(await code).toBe('ERR_LEASE_LOST')
    expect(await recorded(one, record.id)).toMatchObject({ offset: 0, status: 'receiving' })
  })

  test('is noticed on the way, and the body is not read on', async () => {
    const { catalog, takeOver } = contested()
    const { one, body, code } = await running(rig({ catalog }))
    takeOver()
    await one.clock.advance(5100)
    expect(await code).toBe('ERR_LEASE_LOST')
    expect(body.stopped).toBe(true)
  })

  test('ends neither an upload by DELETE nor by expiry', async () => {
    const { catalog, takeOver } = contested()
    const one = rig({ catalog, limits: { expireAfterMs: 1000 } })
    const { id } = await one.engine.create(creation({ length: 10 }))
    takeOver()
    expect(await codeOf(one.engine.cancel(id))).toBe('ERR_LEASE_LOST')
    await one.clock.advance(2000)
    await one.engine.sweep().catch(() => undefined)
    expect((await recorded(one, id)).status).toBe('receiving')
  })
})

test('a catalog that fails while a batch is taken up leaves no upload locked', async () => {
  const real = memoryCatalog()
  let fails = false
  const catalog = withFaults(real, {
    acquire: (id) => (fails ? Promise.reject(new Error('disk on fire')) : real.acquire(id)),
  })
  const one = rig({ catalog, limits: { expireAfterMs: 1000 } })
  const { id } = await one.engine.create(creation({ length: 10 }))
  await one.clock.advance(1001)
  fails = true
  await expect(one.engine.sweep()).rejects.toThrow('disk on fire')
  fails = false
  await one.engine.sweep()
  expect((await recorded(one, id)).status).toBe('expired')
})

describe('shutdown', () => {
  test('stores what has arrived, tells so, and closes', async () => {
    const catalog = lasting(memoryCatalog())
    const { one, record, body, code } = await running(rig({ catalog }))
    await one.engine.close(10_000)
    expect(await code).toBe('ERR_SERVER_SHUTDOWN')
    expect(body.stopped).toBe(true)
    const after = rig({ ...one, catalog })
    const found = await after.engine.retrieve(record.id)
    expect(found.offset).toBe(300)
    expect(await contentOf(after, found)).toEqual(CONTENT.subarray(0, 300))
  })

  test('refuses what comes later', async () => {
    const one = rig()
    const { id } = await one.engine.create(creation({ length: 10 }))
    void one.engine.close(1000)
    expect(one.engine.isClosing).toBe(true)
    expect(await codeOf(one.engine.append(id, appending(0, bytes(10))))).toBe('ERR_SERVER_SHUTDOWN')
    expect(await codeOf(one.engine.create(creation({ length: 10 })))).toBe('ERR_SERVER_SHUTDOWN')
    expect(await codeOf(one.engine.cancel(id))).toBe('ERR_SERVER_SHUTDOWN')
  })

  test('refuses who was waiting for its turn', async () => {
    const { one, record, code } = await running()
    const body = new PushBody(700)
    const next = codeOf(one.engine.append(record.id, appending(300, body)))
    await quiet()
    await one.engine.close(1000)
    expect([await code, await next]).toEqual(['ERR_SERVER_SHUTDOWN', 'ERR_SERVER_SHUTDOWN'])
    expect(body.consumed).toBe(false)
  })

  test('does not wait longer than it may for a store that hangs', async () => {
    const clock = new FakeClock()
    const real = memoryStore({ clock })
    const store = withFaults(real, {
      open: async (record, right) =>
        withFaults(await real.open(record, right), { commit: () => new Promise(() => undefined) }),
    })
    const { one } = await running(rig({ clock, store }))
    let isClosed = false
    void one.engine.close(3000).then(() => (isClosed = true))
    await clock.advance(2999)
    expect(isClosed).toBe(false)
    await clock.advance(1)
    expect(isClosed).toBe(true)
  })
})
