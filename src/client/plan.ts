import { discover } from './capabilities.ts'
import { ChunkSize } from './chunk-size.ts'
import { isTransferError } from './errors.ts'
import { fingerprintOf } from './fingerprint.ts'
import { Ledger } from './ledger.ts'
import type { UploadOptions } from './options.ts'
import type { Platform } from './ports/platform.ts'
import type { Source } from './ports/source.ts'
import type { Requester } from './requester.ts'
import type { Retry } from './retry.ts'
import { negotiate } from './terms.ts'
import type { Terms } from './terms.ts'

/** What the first run finds out; it holds for all that follow. */
export interface Plan {
  readonly terms: Terms
  readonly chunks: ChunkSize
  /** `undefined`: nothing is remembered. */
  readonly ledger: Ledger | undefined
}

export interface PlanOptions {
  readonly platform: Platform
  readonly options: UploadOptions
  readonly requester: Requester
  readonly source: Source
  /** The upload itself, where it is known. */
  readonly url: string | undefined
  readonly retry: Retry
  readonly signal: AbortSignal
  readonly warn: (message: string, cause?: unknown) => void
}

export async function makePlan(plan: PlanOptions): Promise<Plan> {
  const { platform, options, requester, source, url = '', retry, signal, warn } = plan
  const { clock, hashing } = platform
  const endpoint = options.endpoint?.toString() ?? url
  const capabilities = await retry.run(() => discover(requester, endpoint, signal), signal)
  const terms = await negotiate({ options, capabilities, source, hashing, signal, warn })
  const chunks = new ChunkSize({
    clock,
    origin: URL.canParse(endpoint) ? new URL(endpoint).origin : '',
    fixedBytes: options.chunkSizeBytes,
    needsLimit: terms.checksum !== undefined,
  })
  return { terms, chunks, ledger: await makeLedger(plan) }
}

async function makeLedger({
  platform,
  options,
  source,
  signal,
  warn,
}: PlanOptions): Promise<Ledger | undefined> {
  const { clock } = platform
  const { urlStorage: storage = platform.urlStorage, endpoint } = options
  if (storage === undefined || storage === false || endpoint === undefined) return undefined
  try {
    const fingerprint = await fingerprintFor({ platform, options, source, signal })
    if (fingerprint === undefined) return undefined
    return new Ledger({ storage, clock, key: platform.newId(), fingerprint, warn })
  } catch (cause) {
    signal.throwIfAborted()
    // Whatever keeps a file from being read would keep it from being sent.
    if (isTransferError(cause)) throw cause
    warn('no fingerprint can be made: the upload is not remembered', cause)
    return undefined
  }
}

/** The identity of a source under these options; `undefined` when it has none. */
export async function fingerprintFor(from: {
  readonly platform: Pick<Platform, 'hashing'>
  readonly options: UploadOptions
  readonly source: Source
  readonly signal: AbortSignal
}): Promise<string | undefined> {
  const { platform, options, source, signal } = from
  const { endpoint = '', fingerprint, startBytes = 0, endBytes, partial = false } = options
  if (fingerprint !== undefined) return await fingerprint()
  const scope = [startBytes, endBytes, partial]
  return await fingerprintOf({
    endpoint: endpoint.toString(),
    source,
    hashing: platform.hashing,
    scope,
    signal,
  })
}
