import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterTest } from './after-test.ts'

/** Less than any answer, so that a cut in one always comes. */
const ANSWER_BYTES = 150

export interface CuttingProxyOptions {
  readonly targetPort: number
  readonly random: () => number
  /** Connections to cut; the ones after that live. */
  readonly cuts: number
  /** A connection is cut after at most this many bytes. */
  readonly maxBytes: number
}

export interface CuttingProxy {
  readonly port: number
  /** Cuts so far. */
  readonly cuts: number
}

/** When and how one connection ends before its time. */
interface Cut {
  /** Bytes from the client, or from the server: then an answer is lost on its way. */
  readonly of: 'client' | 'server'
  readonly afterBytes: number
  readonly how: 'close' | 'reset'
}

/** A TCP proxy that cuts connections at random bytes, in either direction. */
export async function cuttingProxy(options: CuttingProxyOptions): Promise<CuttingProxy> {
  const { targetPort, random, maxBytes } = options
  const open = new Set<Socket>()
  let planned = 0
  let cuts = 0
  const plan = (): Cut | undefined => {
    if (planned >= options.cuts) return undefined
    planned += 1
    const of = random() < 0.75 ? 'client' : 'server'
    const most = of === 'client' ? maxBytes : ANSWER_BYTES
    return { of, afterBytes: Math.floor(random() * most), how: random() < 0.5 ? 'close' : 'reset' }
  }
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1')
    const cut = plan()
    const sockets = [client, target]
    let isCut = false
    const end = (): void => {
      if (isCut) return
      isCut = true
      cuts += 1
      for (const socket of sockets) {
        if (cut?.how === 'reset') socket.resetAndDestroy()
        else socket.destroy()
      }
    }
    forward(client, target, cut?.of === 'client' ? cut.afterBytes : Infinity, end)
    forward(target, client, cut?.of === 'server' ? cut.afterBytes : Infinity, end)
    for (const socket of sockets) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        open.delete(socket)
        for (const other of sockets) other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  return {
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts
    },
  }
}

/** Passes bytes on, then calls `end` once `limit` of them have passed. */
function forward(from: Socket, to: Socket, limit: number, end: () => void): void {
  let passed = 0
  from.on('data', (chunk: Buffer) => {
    const part = passed + chunk.length > limit ? chunk.subarray(0, limit - passed) : chunk
    passed += part.length
    const isLast = passed >= limit
    // The part before the cut still arrives: the server has to keep it.
    if (!to.write(part, () => (isLast ? end() : undefined))) {
      from.pause()
      to.once('drain', () => from.resume())
    }
    if (isLast) from.pause()
  })
  from.on('end', () => to.end())
}
