import { parse } from 'content-disposition'
import type { CallOptions, CallPlatform } from '../../client/calls.ts'
import { isTransferError } from '../../client/errors.ts'
import { Requester } from '../../client/requester.ts'
import { cleanFileName, safeFileName } from '../../core/safe-name.ts'

/**
 * A name for a download: that of `Content-Disposition`, else the end of the address. Never a path, never hidden.
 *
 * One byte is asked for, because HEAD means something else to a tus server. What fails shows again at the download.
 */
export async function remoteName(platform: CallPlatform, url: string, options: CallOptions): Promise<string> {
  const signal = options.signal ?? new AbortController().signal
  const response = await new Requester(platform, options)
    .send({ method: 'GET', url, headers: { Range: 'bytes=0-0' }, signal })
    .catch((error: unknown) => {
      if (isTransferError(error)) return undefined
      throw error
    })
  return nameOf(response?.header('Content-Disposition'), url)
}

/** The name in a field, or in an address. */
export function nameOf(disposition: string | undefined, url: string): string {
  const given = disposition === undefined ? undefined : parse(disposition).parameters['filename']
  const clean = given === undefined ? undefined : cleanFileName(given)
  return (
    clean ?? safeFileName(decoded(new URL(url).pathname.split('/').findLast((part) => part !== '') ?? ''))
  )
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
