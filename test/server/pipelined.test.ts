import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { nodeListener } from '../../src/adapters/node.ts'

test('requests sent at once on one connection are handled one after the other', async () => {
  const seen: string[] = []
  const listener = nodeListener(async ({ method }) => {
    seen.push(`${method} begins`)
    // Turns of the event loop in which the next request would begin.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => void setImmediate(resolve))
    seen.push(`${method} ends`)
    return { status: 204, headers: {}, body: undefined }
  })
  const server = createServer(listener)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let answers = ''
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('data', (data) => {
      answers += data.toString()
      if (answers.split('HTTP/1.1 204').length === 4) resolve()
    })
    const ask = (method: string): string => `${method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`
    socket.write(ask('PATCH') + ask('HEAD') + ask('OPTIONS'))
  })
  socket.destroy()
  server.close()
  const methods = ['PATCH', 'HEAD', 'OPTIONS']
  expect(seen).toEqual(methods.flatMap((method) => [`${method} begins`, `${method} ends`]))
})
