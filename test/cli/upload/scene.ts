import { randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer, request as forwardRequest } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type { CommandOptions, Finished, RunningCommand } from '../command.ts'
import { jsonLines, run, start, stopAll } from '../command.ts'
import { localhostCertificate, localhostKey } from '../../conformance/certificate.ts'
import type { StagedPackage } from '../staged-package.ts'
import { stagePackage } from '../staged-package.ts'

/** The real command, a real server, and a directory of the test's own. */
export interface Scene {
  /** A directory with files, and the state of the user. */
  readonly dir: string
  /** Where uploads are created. */
  readonly endpoint: string
  /** Writes a file; random bytes unless given. */
  file(name: string, content?: Uint8Array | string | number): Buffer
  /** Runs `carryon` in the directory. */
  carryon(...args: readonly string[]): Promise<Finished>
  start(args: readonly string[], options?: CommandOptions): RunningCommand
  /** Runs it with this standard input; `undefined` leaves it open. */
  piped(input: Uint8Array | string, ...args: readonly string[]): Promise<Finished>
  /** Downloads without our own client. */
  get(url: string): Promise<Buffer>
  /** A server until the test is over. */
  serve(listener: RequestListener, secure?: boolean): Promise<string>
}

/** Registers what a test file needs; the scene is new for each test. */
export function uploadScene(): Scene {
  let staged: StagedPackage | undefined
  let bin = ''
  let dir = ''
  let endpoint = ''
  const servers: Server[] = []
  const started: RunningCommand[] = []
  beforeAll(async () => {
    staged = stagePackage()
    bin = staged.bin
    const uploads = join(staged.dir, 'uploads')
    const server = start(bin, ['serve', '--port', '0', '--dir', uploads, '--durability', 'process'])
    endpoint = String((await server.logged('listening'))['url'])
  })
  afterAll(async () => {
    await stopAll()
    staged?.remove()
  })
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'carryon-upload-'))
    chmodSync(dir, 0o777)
    mkdirSync(join(dir, 'state'))
    chmodSync(join(dir, 'state'), 0o777)
  })
  afterEach(async () => {
    for (const server of servers.splice(0)) server.close().closeAllConnections()
    for (const { child, finished } of started.splice(0)) {
      child.kill('SIGKILL')
      await finished
    }
    rmSync(dir, { recursive: true, force: true })
  })
  const options = (): CommandOptions => ({ cwd: dir, env: { XDG_STATE_HOME: join(dir, 'state') } })
  return {
    get dir() {
      return dir
    },
    get endpoint() {
      return endpoint
    },
    file(name, content = 100_000) {
      const bytes = typeof content === 'number' ? randomBytes(content) : Buffer.from(content)
      mkdirSync(dirname(join(dir, name)), { recursive: true })
      writeFileSync(join(dir, name), bytes)
      return bytes
    },
    carryon: (...args) => run(bin, args, options()),
    start(args, given = {}) {
      const command = start(bin, args, { ...options(), ...given })
      started.push(command)
      return command
    },
    piped: (input, ...args) => piped(bin, { input, args, ...options() }),
    async get(url) {
      const response = await fetch(url)
      if (!response.ok) throw new Error(`GET ${url} answered ${response.status}`)
      return Buffer.from(await response.arrayBuffer())
    },
    async serve(listener, secure = false) {
      const server = secure
        ? createSecureServer({ cert: localhostCertificate, key: localhostKey }, listener)
        : createServer(listener)
      servers.push(server)
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      return secure ? `https://localhost:${port}/files/` : `http://127.0.0.1:${port}/files/`
    },
  }
}

async function piped(
  bin: string,
  given: CommandOptions & { readonly input: Uint8Array | string; readonly args: readonly string[] },
): Promise<Finished> {
  const child = spawn(process.execPath, [bin, ...given.args], {
    cwd: given.cwd,
    env: { PATH: process.env['PATH'], ...given.env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += String(chunk)))
  child.stderr.on('data', (chunk) => (stderr += String(chunk)))
  child.stdin.end(given.input)
  const [code] = (await once(child, 'close')) as (number | null)[]
  return { code: code ?? null, stdout, stderr }
}

/** Passes requests on to another server, with its own address put in. */
export function forwardTo(endpoint: string): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const onward = forwardRequest(new URL(request.url ?? '/', endpoint), {
      method: request.method,
      headers: { ...request.headers },
    })
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  }
}

/** The last URL that was printed. */
export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}

/** Waits for a JSON event of a running upload. */
export async function event(
  command: RunningCommand,
  fits: (event: Readonly<Record<string, unknown>>) => boolean,
): Promise<Readonly<Record<string, unknown>>> {
  let text = ''
  const { stdout } = command.child
  if (stdout === null) throw new Error('its output is not read')
  return new Promise((resolve, reject) => {
    stdout.on('data', (chunk) => {
      text += String(chunk)
      const found = jsonLines(text).find(fits)
      if (found !== undefined) resolve(found)
    })
    void command.finished.then((ended) => reject(new Error(`it ended before: ${JSON.stringify(ended)}`)))
  })
}

/** Certificate of {@link Scene.serve}, as a file. */
export function certificateFile(dir: string): string {
  const path = join(dir, 'ca.pem')
  writeFileSync(path, localhostCertificate)
  return path
}

export function readText(path: string): string {
  return readFileSync(path, 'utf8')
}
