import type { Clock } from '../../core/ports/clock.ts'
import type { Slice } from '../../client/ports/source.ts'
import type { Transport } from '../../client/ports/transport.ts'
import { RateLimit } from '../../client/rate-limit.ts'

/** A transport whose requests share one limit: `--limit-rate` is for all files together. */
export function withSharedRate(transport: Transport, bytesPerSecond: number, clock: Clock): Transport {
  const limit = new RateLimit(clock, bytesPerSecond)
  return {
    reportsSent: transport.reportsSent,
    async send(request) {
      if (request.body === undefined) return transport.send(request)
      const body = await limit.pace(inPieces(request.body), request.signal)
      return transport.send({ ...request, body, ...callbacksOf(request) })
    },
    close: () => transport.close(),
  }
}

/** Paced piece by piece: megabytes that wait as a whole would look like a stalled line. */
function inPieces(slice: Slice): Slice {
  const { content } = slice
  if (content.kind !== 'bytes') return slice
  return { ...slice, content: { kind: 'chunks', chunks: () => once(content.bytes) } }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

/** Methods of a class are not copied by spreading. */
function callbacksOf(request: Parameters<Transport['send']>[0]): Partial<typeof request> {
  return {
    ...(request.onSent === undefined ? {} : { onSent: (bytes: number) => request.onSent?.(bytes) }),
    ...(request.onData === undefined
      ? {}
      : { onData: (...given: Parameters<NonNullable<typeof request.onData>>) => request.onData?.(...given) }),
  }
}
