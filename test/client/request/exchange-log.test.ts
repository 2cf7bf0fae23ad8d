import { expect, test } from 'vitest'
import { shownUrl } from '../../../src/client/shown.ts'
import { ENDPOINT, UPLOAD, failureOf, patch, rig } from './requesting.ts'

test('it keeps the last 50 exchanges', async () => {
  const it = rig({ requestIds: true })
  for (let i = 0; i < 60; i += 1) {
    await it.requester.send({ method: 'OPTIONS', url: ENDPOINT, signal: it.abort.signal })
  }
  const report = it.report()
  expect(report).toHaveLength(50)
  expect(report.map(({ requestHeaders }) => requestHeaders['X-Request-ID'])).toEqual(
    Array.from({ length: 50 }, (_, index) => `id-${index + 11}`),
  )
})

test('an exchange tells what went out, what came back and how long it took', async () => {
  const it = rig()
  it.transport.onPiece = () => it.clock.advance(250)
  await it.requester.send(patch(it))
  expect(it.report()).toEqual([
    {
      startedAtMs: it.clock.nowMs() - 250,
      durationMs: 250,
      method: 'PATCH',
      url: UPLOAD,
      requestHeaders: {
        'Tus-Resumable': '1.0.0',
        'Upload-Offset': '0',
        'Content-Type': 'application/offset+octet-stream',
      },
      sentBytes: 1000,
      status: 204,
      responseHeaders: { 'Tus-Resumable': '1.0.0', 'Upload-Offset': '1000' },
    },
  ])
})

test('one that failed tells why; one under way has no duration', async () => {
  const it = rig()
  it.transport.script('PATCH', { sendBytes: 10, end: 'drop' }).script('PATCH', { end: 'hang' })
  await failureOf(it.requester.send(patch(it)))
  void failureOf(it.requester.send(patch(it)))
  await it.clock.advance(1000)
  const [failed, running] = it.report()
  expect(failed).toMatchObject({ sentBytes: 10, error: expect.stringContaining('the connection broke') })
  expect(running).not.toHaveProperty('durationMs')
  it.abort.abort()
})

test('secrets are hidden', async () => {
  const secrets = [
    'Authorization',
    'cookie',
    'X-Api-Key',
    'apikey',
    'X-Amz-Security-Token',
    'Proxy-Authorization',
  ]
  const it = rig({
    headers: Object.fromEntries(secrets.map((name) => [name, 's3cret'])),
    auth: () => 's3cret',
  })
  it.transport.script('PATCH', { headers: { Location: 'https://u:s3cret@host.test/1?sig=s3cret' } })
  await it.requester.send(patch(it, 1000, { url: `${UPLOAD}?sig=s3cret` }))
  expect(JSON.stringify(it.report())).not.toContain('s3cret')
})

test.each([
  ['https://host.test/a/b', 'https://host.test/a/b'],
  ['https://u:p@host.test/a@b', 'https://host.test/a@b'],
  ['https://u:p@x@host.test/', 'https://host.test/'],
  ['https://host.test/a?x=1&y=2#z', 'https://host.test/a?…'],
  ['https://host.test?to=a@b', 'https://host.test?…'],
  ['/files?x=1', '/files?…'],
  ['//u:p@host.test/', '//host.test/'],
])('%s is shown as %s', (url, shown) => {
  expect(shownUrl(url)).toBe(shown)
})
