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

/**
 * Asks a server what it can do. Always asks; nothing is taken from or put into the cache of uploads.
 *
 * @throws {TransferError} `server` or `protocol` when this is no tus server or it does not say.
 */
export async function serverInfo(
  platform: CallPlatform,
  endpoint: string | URL,
  options: CallOptions = {},
): Promise<Capabilities> {
  const { requester, retry, signal } = toolsOf(platform, options)
  return await retry.run(() => askCapabilities(requester, String(endpoint), signal))
}

/**
 * Asks how much of an upload a server has.
 *
 * Servers take this as the wish to resume: an append that is under way from elsewhere may be stopped by it.
 *
 * @throws {TransferError} `server` with 404 or 410 when there is no such upload; `protocol` for an answer without offset.
 */
export async function getOffset(
  platform: CallPlatform,
  url: string | URL,
  options: CallOptions = {},
): Promise<UploadInfo> {
  const { requester, retry, signal } = toolsOf(platform, options)
  const call = { method: 'HEAD', url: String(url), signal }
  return await retry.run(async () => {
    const response = await requester.send(call)
    const offset = offsetOf(response)
    const length = lengthOf(response)
    if (!isSuccess(response) || offset === undefined || offset > (length ?? Infinity)) {
      throw requester.refusal(call, response, 'the offset cannot be read')
    }
    const concat = response.header('Upload-Concat') ?? ''
    return {
      url: call.url,
      offset,
      length,
      metadata: metadataOf(response) ?? {},
      expiresAtMs: expiresAtMsOf(response, requester.clock.nowMs()),
      isPartial: concat === 'partial',
      isFinal: concat.startsWith('final'),
    }
  })
}

/**
 * Removes an upload from its server. One that is not there any more counts as removed.
 *
 * @throws {TransferError} `server` when the server refuses, or cannot terminate uploads.
 */
export async function terminate(
  platform: CallPlatform,
  url: string | URL,
  options: CallOptions = {},
): Promise<void> {
  const { requester, retry, signal } = toolsOf(platform, options)
  await retry.run(() => terminateAt(String(url), requester, signal))
}

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
