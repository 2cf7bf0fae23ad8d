import { elysiaUploads } from 'carryon/adapters/elysia'
import { openUploads } from 'carryon/node'
import { Elysia } from 'elysia'

const uploads = await openUploads({ dir: process.env['UPLOADS'] ?? './uploads', path: '/files/' })
const app = new Elysia().onRequest(elysiaUploads(uploads)).get('/', () => 'the rest of the app\n')
if ('Bun' in globalThis) app.listen(Number(process.env['PORT'] ?? 3000), () => console.log('ready'))
export const handle = (request: Request): Promise<Response> => app.handle(request)
