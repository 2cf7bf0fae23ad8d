import type { ResponseHead } from './ports/transport.ts'
import { NO_TUS_SERVER } from './tus-answers.ts'

/** By the status, which has three digits. */
const HINTS: readonly (readonly [statuses: RegExp, hint: string])[] = [
  [/40[13]/, 'Check the credentials.'],
  [/404|410/, 'Check the address.'],
  [/413/, 'Try smaller chunks.'],
  [/409|423/, 'Another client writes to it.'],
  [/429/, 'Send fewer requests.'],
  [/5../, 'The server has trouble.'],
  [/3../, 'Follow the redirect.'],
]

/** What the user can do about an answer. */
export function hintFor(response: ResponseHead, isPage: boolean): string | undefined {
  const status = `${response.status}`
  const versions = response.header('Tus-Version')
  if (status === '412' && versions) return `The server speaks tus ${versions}.`
  const isForeign = isPage || !response.header('Tus-Resumable')
  return HINTS.find(([statuses]) => statuses.test(status))?.[1] ?? (isForeign ? NO_TUS_SERVER : undefined)
}
