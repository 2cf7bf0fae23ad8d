import { Agent } from 'node:http'
import { DefaultHttpStack } from 'tus-js-client'
import { tusUpload } from '../../adapters/support/tus-upload.ts'
import { cuttingProxy } from '../../e2e/support/cutting-proxy.ts'

const MIB = 1024 * 1024

export const CHUNK_BYTES: number = 5 * MIB

/** In the middle of the second piece. */
export const CUT_AFTER_BYTES: number = 8 * MIB

export interface ResumedUpload {
  /** At the server itself. */
  readonly url: URL
  /** Connections that broke. */
  readonly cuts: number
  /** Where each PATCH began. */
  readonly offsets: readonly number[]
}

/** Uploads in pieces with tus-js-client, over a connection that breaks once. */
export async function resumedUpload(endpoint: URL, content: Buffer): Promise<ResumedUpload> {
  const half = 0.6
  const proxy = await cuttingProxy({
    targetPort: Number(endpoint.port),
    // Not by chance: the client's bytes, by a reset, after this share of the most.
    random: () => half,
    maxBytes: CUT_AFTER_BYTES / half,
    cuts: 1,
  })
  // One connection for all requests: it is the first one that breaks.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const offsets: number[] = []
  const url = await tusUpload(content, {
    endpoint: `http://127.0.0.1:${proxy.port}${endpoint.pathname}`,
    chunkSize: CHUNK_BYTES,
    retryDelays: [0, 500],
    httpStack: new DefaultHttpStack({ agent }),
    onBeforeRequest(request) {
      if (request.getMethod() === 'PATCH') offsets.push(Number(request.getHeader('Upload-Offset')))
    },
  })
  agent.destroy()
  return { url: new URL(new URL(url).pathname, endpoint), cuts: proxy.cuts, offsets }
}
