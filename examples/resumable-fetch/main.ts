import { createHash } from 'node:crypto'
import { resumable } from 'carryon/resumable'

const options = { dir: process.env['UPLOADS'] ?? './uploads', path: '/photos' }
const photos = await resumable(async (request) => {
  const hash = createHash('sha256')
  for await (const chunk of request.body ?? []) hash.update(chunk)
  return new Response(hash.digest('hex'))
}, options)
export const fetch: (request: Request) => Promise<Response> = photos
