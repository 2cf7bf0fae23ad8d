import type { ResponseHead } from './ports/transport.ts'

/** By the status, which has three digits. */
const HINTS: readonly (readonly [statuses: RegExp, hint: string])[] = [
  [/40[13]/, 'Check the credentials.'],
  [/404|410/, 'Check the address: nothing is there.'],
  [/413/, 'Try smaller chunks.'],
  [/409|423/, 'Another client writes to this upload.'],
  [/429/, 'Send fewer requests.'],
  [/5../, 'The server, or a proxy before it, has trouble.'],
  [/3../, 'Follow the redirect.'],
]

/** What the user can do about an answer. */
export function hintFor(response: ResponseHead, isHtml: boolean): string | undefined {
  const status = String(response.status)
  const versions = response.header('Tus-Version')
  if (status === '412' && versions) return `The server speaks tus ${versions} only.`
  const hint = HINTS.find(([statuses]) => statuses.test(status))?.[1]
  const isForeign = isHtml || response.header('Tus-Resumable') === undefined
  return hint ?? (isForeign ? 'This seems to be no tus server, or CORS hides its headers.' : undefined)
}
