import { createHash } from 'node:crypto'
import { koaResumable } from 'carryon/resumable'
import Koa from 'koa'

const app = new Koa()
const photos = (ctx: Koa.Context): void =>
  void (ctx.body = ctx.req.pipe(createHash('sha256').setEncoding('hex')))
app.use(await koaResumable(app, photos, { dir: process.env['UPLOADS'] ?? './uploads', path: '/photos' }))
app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => console.log('ready'))
