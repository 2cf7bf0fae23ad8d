import { serve } from '@hono/node-server'
import { honoUploads } from 'carryon/adapters/hono'
import { openUploads } from 'carryon/node'
import { Hono } from 'hono'

const app = new Hono()
app.use(honoUploads(await openUploads({ dir: process.env['UPLOADS'] ?? './uploads', path: '/files/' })))
app.get('/', (context) => context.text('the rest of the app\n'))
const options = { hostname: '127.0.0.1', serverOptions: { requestTimeout: 0 } }
serve({ fetch: app.fetch, ...options, port: Number(process.env['PORT'] ?? 3000) }, () => console.log('ready'))
