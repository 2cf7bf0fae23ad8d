import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import { idOf } from '../../e2e/support/http-client.ts'
import { until, within } from '../../e2e/support/until.ts'

const cli = fileURLToPath(new URL('../../../bin/carryon.cjs', import.meta.url))

/** One `carryon serve` for all tests of a file: its start takes longer than most of them. */
export interface SharedServer {
  /** Creation URL; known once the tests run. */
  readonly url: string
  /** The plain file of a finished upload, once it is there. */
  completed(url: string): Promise<Buffer>
}

export function sharedServer(): SharedServer {
  let dir = ''
  let url = ''
  let child: ChildProcess | undefined
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'carryon-client-'))
    const server = spawn(process.execPath, [cli, 'serve', '--port', '0', '--dir', dir], { stdio: 'pipe' })
    child = server
    const spoken = new Promise<string>((resolve, reject) => {
      let output = ''
      server.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${output}`)))
      for (const stream of [server.stdout, server.stderr]) {
        stream.on('data', (chunk: Buffer) => {
          output += chunk.toString()
          const found = /http:\/\/127\.0\.0\.1:\d+\/files\//.exec(output)
          if (found !== null) resolve(found[0])
        })
      }
    })
    url = await within('the server says its URL', spoken, 10_000)
  })
  afterAll(async () => {
    if (child !== undefined && child.exitCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
    await rm(dir, { recursive: true, force: true })
  })
  return {
    get url() {
      return url
    },
    completed: (one) =>
      until('the plain file', () => readFile(join(dir, 'completed', idOf(one))).catch(() => undefined)),
  }
}
