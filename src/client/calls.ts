import type { Capabilities } from './capabilities.ts'
import { askCapabilities } from './capabilities.ts'
import type { RequestOptions, RetryOptions } from './options.ts'
import type { Platform } from './ports/platform.ts'
import { Requester } from './requester.ts'
import type { RequestPlatform } from './requester.ts'
import { Retry } from './retry.ts'
import { terminateAt } from './terminate-at.ts'
import { expiresAtMsOf, isSuccess, lengthOf, metadataOf, offsetOf } from './tus-answers.ts'

export interface CallOptions extends RequestOptions, RetryOptions {}

export type CallPlatform = RequestPlatform & Pick<Platform, 'random' | 'connectivity'>

/** What a server says about one upload. */
export interface UploadInfo {
  readonly url: string
  /** Bytes the server has. */
  readonly offset: number
  /** Bytes in all; `undefined` while that is not declared. */
  readonly length: number | undefined
  readonly metadata: Readonly<Record<string, string>>
  readonly expiresAtMs: number | undefined
  /** Made to be one part of a final upload. */
  readonly isPartial: boolean
  /** Put together from partial uploads. */
  readonly isFinal: boolean
}

/** What one call works with. */
export interface CallTools {
  readonly requester: Requester
  readonly retry: Retry
  readonly signal: AbortSignal
}

type ServerCall<Answer> = (
  platform: CallPlatform,
  url: string | URL,
  options?: CallOptions,
) => Promise<Answer>

/** A call of one request, which is repeated until it succeeds or the rules end it. */
function repeated<Answer>(
  ask: (requester: Requester, url: string, signal: AbortSignal) => Promise<Answer>,
): ServerCall<Answer> {
  return (platform, url, options = {}) => {
    const { requester, retry, signal } = toolsOf(platform, options)
    return retry.run(() => ask(requester, `${url}`, signal))
  }
}

/**
 * Asks a server what it can do. Always asks; nothing is taken from or put into the cache of uploads.
 *
 * @throws {TransferError} `server` or `protocol` when this is no tus server or it does not say.
 */
export const serverInfo: ServerCall<Capabilities> = repeated(askCapabilities)

/**
 * Asks how much of an upload a server has.
 *
 * Servers take this as the wish to resume: an append that is under way from elsewhere may be stopped by it.
 *
 * @throws {TransferError} `server` with 404 or 410 when there is no such upload; `protocol` for an answer without offset.
 */
export const getOffset: ServerCall<UploadInfo> = repeated(async (requester, url, signal) => {
  const call = { method: 'HEAD', url, signal }
  const response = await requester.send(call)
  const offset = offsetOf(response)
  const length = lengthOf(response)
  if (!isSuccess(response) || offset === undefined || offset > (length ?? Infinity)) {
    throw requester.refusal(call, response, 'no offset')
  }
  const concat = response.header('Upload-Concat') ?? ''
  return {
    url,
    offset,
    length,
    metadata: metadataOf(response) ?? {},
    expiresAtMs: expiresAtMsOf(response, requester.clock.nowMs()),
    isPartial: concat === 'partial',
    isFinal: concat.startsWith('final'),
  }
})

/**
 * Removes an upload from its server. One that is not there any more counts as removed.
 *
 * @throws {TransferError} `server` when the server refuses, or cannot terminate uploads.
 */
export const terminate: ServerCall<void> = repeated(terminateAt)

export function toolsOf(platform: CallPlatform, options: CallOptions): CallTools {
  const { signal = new AbortController().signal, shouldRetry } = options
  const retry = new Retry({
    ...platform,
    signal,
    options: {
      ...options,
      // Somebody waits for one answer: a page that is no tus server will be none in 15 minutes.
      shouldRetry: async (error, attempt) =>
        (await shouldRetry?.(error, attempt)) ?? (error.code === 'protocol' ? false : undefined),
    },
  })
  return { requester: new Requester(platform, options), retry, signal }
}
