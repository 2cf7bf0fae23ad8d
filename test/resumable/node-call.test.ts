import { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { HandlerAnswer } from '../../src/node/resumable/answer.ts'
import { Content } from '../../src/node/resumable/content.ts'
import { resumedUpload } from '../../src/node/resumable/index.ts'
import type { NodeAnswerer } from '../../src/node/resumable/node-call.ts'
import { nodeCall } from '../../src/node/resumable/node-call.ts'
import { within } from '../e2e/support/until.ts'
import { failureOf, ordinary } from './support/ordinary.ts'

const MIB = 1024 * 1024

function textOf({ body }: HandlerAnswer): string {
  return body === 'too-large' ? body : Buffer.from(body).toString()
}

async function sizeOf(request: IncomingMessage): Promise<number> {
  let bytes = 0
  for await (const chunk of request) bytes += (chunk as Buffer).length
  return bytes
}

test('the handler meets a request and a response of Node itself, with the facts of the upload', async () => {
  const { request } = ordinary(100_000)
  const facts: unknown[] = []
  const answer = await nodeCall((message, response, fail) => {
    facts.push(message instanceof IncomingMessage, response instanceof ServerResponse)
    facts.push(message.method, message.url, message.headers, message.httpVersion)
    facts.push(message.socket.remoteAddress, 'encrypted' in message.socket && message.socket.encrypted)
    facts.push(resumedUpload(message))
    // Handlers and frameworks use these.
    message.setTimeout(1000)
    response.setTimeout(1000)
    message.socket.setKeepAlive(true)
    void sizeOf(message).then((bytes) => {
      facts.push(message.complete)
      response.writeHead(201, { 'X-Bytes': bytes }).end('done')
    }, fail)
  })(request)
  expect(facts).toEqual([
    true,
    true,
    'POST',
    '/photos?album=3',
    {
      host: 'photos.example',
      'content-type': 'image/png',
      'content-length': '100000',
      connection: 'keep-alive',
    },
    '1.1',
    '10.1.2.3',
    true,
    request.upload,
    true,
  ])
  expect([answer.status, answer.headers['x-bytes'], textOf(answer)]).toEqual([201, '100000', 'done'])
})

test('a request without a host has none', async () => {
  const { request } = ordinary(0, { host: undefined })
  const answer = await nodeCall((message, response) => response.end(String(message.headers.host)))(request)
  expect(textOf(answer)).toBe('undefined')
})

describe('content', () => {
  test('nobody reads: little of it is read, and what reading holds is given back', async () => {
    const { request, readBytes, isGivenBack } = ordinary(200 * MIB)
    const answer = await nodeCall((_, response) => response.end('no, thanks'))(request)
    expect(textOf(answer)).toBe('no, thanks')
    expect(readBytes()).toBeLessThan(8 * MIB)
    expect(isGivenBack()).toBe(true)
  })

  test('a handler that answers first and reads on gets all of it', async () => {
    const { request } = ordinary(20 * MIB)
    let reading: Promise<number> | undefined
    let isRead = false
    await nodeCall((message, response) => {
      reading = sizeOf(message)
      void reading.then(() => (isRead = true))
      response.end('later')
    })(request)
    await Promise.resolve()
    expect([await reading, isRead]).toEqual([20 * MIB, true])
  })

  test('a handler that refuses in the middle of it does not wait for the rest', async () => {
    const { request, readBytes } = ordinary(200 * MIB)
    const answer = await within(
      'the answer',
      nodeCall((message, response) => {
        message.once('data', () => {
          message.pause()
          response.writeHead(413).end('too large')
        })
      })(request),
    )
    expect([answer.status, textOf(answer)]).toEqual([413, 'too large'])
    expect(readBytes()).toBeLessThan(8 * MIB)
  })

  test('a slow handler holds it up: memory does not grow with it', async () => {
    const { request, readBytes } = ordinary(32 * MIB)
    let most = 0
    const answer = await nodeCall((message, response, fail) => {
      const read = async (): Promise<void> => {
        let taken = 0
        for await (const chunk of message) {
          taken += (chunk as Buffer).length
          if (taken % (8 * 64 * 1024) < 64 * 1024) await delay(1)
          most = Math.max(most, readBytes() - taken)
        }
        response.end(String(taken))
      }
      read().catch(fail)
    })(request)
    expect(textOf(answer)).toBe(String(32 * MIB))
    expect(most).toBeLessThan(2 * MIB)
  })

  test('when it cannot be read the attempt fails, and the handler sees a broken connection', async () => {
    const lost = new Error('the disk is gone')
    let isMet: () => void
    const met = new Promise<void>((resolve) => (isMet = resolve))
    async function* read(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(1000)
      await met
      throw lost
    }
    const { request } = ordinary(5000, { content: new Content(read) })
    const seen: string[] = []
    const failure = await failureOf(
      nodeCall((message, response) => {
        message.once('data', () => isMet())
        message.on('close', () => seen.push('close'))
        message.on('end', () => seen.push('end'))
        message.on('end', () => response.end('all is well'))
      })(request),
    )
    expect(failure).toBe(lost)
    await expect.poll(() => seen).toEqual(['close'])
  })
})

describe('answers', () => {
  test('in pieces, of several lines of one field', async () => {
    const answer = await nodeCall((message, response) => {
      message.resume()
      response.setHeader('X-Some', ['one', 'two'])
      response.write('first ')
      response.write('second ', () => response.end('third'))
    })(ordinary(10).request)
    expect([textOf(answer), answer.headers['x-some']]).toEqual(['first second third', 'one, two'])
  })

  test.each([
    [MIB, MIB],
    [MIB + 1, 'too-large'],
    [Infinity, 'too-large'],
  ])('of %d bytes', async (bytes, kept) => {
    const answer = await nodeCall((_, response) => {
      const go = (sent: number): void => {
        if (sent >= bytes) return void response.end()
        const piece = Buffer.alloc(Math.min(50_000, bytes - sent))
        response.write(piece, () => go(sent + piece.length))
      }
      go(0)
    })(ordinary(10).request)
    expect(answer.body === 'too-large' ? answer.body : answer.body.byteLength).toBe(kept)
  })
})

describe('a handler that fails', () => {
  const thrown = new Error('it failed')
  const failing: readonly [string, NodeAnswerer, RegExp][] = [
    [
      'by throwing',
      () => {
        throw thrown
      },
      /^it failed$/,
    ],
    ['by saying so later', (_, __, fail) => setImmediate(() => fail(thrown)), /^it failed$/],
    [
      'after a part of its answer',
      (_, response, fail) => response.write('half', () => fail(thrown)),
      /^it failed$/,
    ],
    ['by destroying its response', (_, response) => response.destroy(), /broke the connection off/],
    ['by destroying its request', (message) => message.destroy(), /broke the connection off/],
    [
      'by cutting its answer off',
      (_, response) =>
        response.writeHead(200, { 'Content-Length': 10 }).write('half', () => response.destroy()),
      /aborted/,
    ],
  ]
  test.each(failing)('%s', async (_name, answerer, message) => {
    const { request, isGivenBack } = ordinary(10 * MIB)
    const failure = await within('the failure', failureOf(nodeCall(answerer)(request)))
    expect((failure as Error).message).toMatch(message)
    expect(isGivenBack()).toBe(true)
  })

  test('one that is at work when the server closes is cut off', async () => {
    const closing = new AbortController()
    const { request } = ordinary(10 * MIB, { signal: closing.signal })
    const cut = new Promise((resolve) => {
      void failureOf(
        nodeCall((message) => {
          message.on('close', resolve)
          closing.abort()
        })(request),
      )
    })
    await within('the handler hears of it', cut)
  })
})
