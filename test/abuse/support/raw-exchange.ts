import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** How a client behaves that does not keep to the rules. */
export type Manner = 'half-close' | 'drip' | 'cut' | 'reset'

const PIECES = 12

/**
 * Sends bytes on a connection of their own, and no more after them.
 *
 * @returns All that came back, once the server has closed; `undefined` if it did not within `withinMs`.
 */
export async function rawExchange(
  port: number,
  bytes: Buffer,
  manner: Manner,
  withinMs: number,
): Promise<string | undefined> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
  // A server may reset whoever sends nonsense: the close that follows is what counts.
  socket.on('error', () => undefined)
  const closed = new Promise<boolean>((resolve) => {
    socket.once('close', () => resolve(true))
    socket.once('end', () => resolve(true))
  })
  const giveUp = new AbortController()
  try {
    await new Promise<void>((resolve) => {
      socket.once('connect', resolve)
      socket.once('close', () => resolve())
    })
    await send(bytes, manner, (piece) => {
      if (socket.writable) socket.write(piece)
    })
    if (manner === 'reset') {
      socket.resetAndDestroy()
      return answer
    }
    if (manner === 'cut') {
      socket.destroySoon()
      return answer
    }
    socket.end()
    const late = delay(withinMs, false, { signal: giveUp.signal }).catch(() => false)
    return (await Promise.race([closed, late])) ? answer : undefined
  } finally {
    giveUp.abort()
    if (manner !== 'cut') socket.destroy()
  }
}

async function send(bytes: Buffer, manner: Manner, write: (piece: Buffer) => void): Promise<void> {
  if (manner !== 'drip') return write(bytes)
  const size = Math.max(1, Math.ceil(bytes.length / PIECES))
  for (let at = 0; at < bytes.length; at += size) {
    write(bytes.subarray(at, at + size))
    await delay(2)
  }
}
