import { openUploads } from 'carryon/node'

const uploads = await openUploads({ dir: process.env['UPLOADS'] ?? './uploads', path: '/files/' })

/** What Bun.serve, Deno.serve, Hono and Next route handlers take. */
export async function fetch(request: Request): Promise<Response> {
  return (await uploads.fetch(request)) ?? new Response('the rest of the app\n')
}
