// An app with uploads: node carryon-app.mjs PORT DIR [hooks]. With hooks: one decision in the process for each creation,
// and each finished upload told over HTTP to another process.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { change } from 'carryon'
import { httpTransport } from 'carryon/hooks'
import { openUploads } from 'carryon/node'

const [port, dir, mode] = process.argv.slice(2)

async function hooked() {
  const receiver = fork(fileURLToPath(new URL('hook-receiver.mjs', import.meta.url)))
  const [url] = await once(receiver, 'message')
  process.once('exit', () => receiver.kill())
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit())
  return {
    hooks: { onCreate: () => change({ serverMetadata: { tenant: 1 } }) },
    remote: { transports: [httpTransport({ url })], types: ['post-finish'] },
  }
}

const uploads = await openUploads({ dir, path: '/files/', ...(mode === 'hooks' ? await hooked() : {}) })
const server = createServer()
uploads.attach(server)
server.listen(Number(port), '127.0.0.1')
