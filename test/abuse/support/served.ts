import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { jsonLines, start } from '../../cli/command.ts'
import { afterTest } from '../../e2e/support/after-test.ts'
import { until } from '../../e2e/support/until.ts'
import type { Connection } from '../../../src/testing/conformance/wire.ts'
import { connect } from '../../../src/testing/conformance/wire.ts'

const bin = fileURLToPath(new URL('../../../bin/carryon.cjs', import.meta.url))

/** What a process holds of its machine. `undefined` where the system does not tell. */
export interface Holdings {
  readonly connections: number
  /** Open descriptors of any other kind. */
  readonly others: number
  readonly residentBytes: number
}

/** A real `carryon serve` in a directory of its own, until the running test is over. */
export interface Served {
  readonly port: number
  /** Creation URL. */
  readonly url: string
  /** What the server keeps its uploads in; its parent belongs to the test as well. */
  readonly dir: string
  readonly hasEnded: boolean
  /** The lines of its log; throws if one of them is no JSON. */
  log(): readonly Record<string, unknown>[]
  /** Lines of the log that tell of a failure, and whatever it said outside of its log. */
  complaints(): readonly string[]
  holdings(): Promise<Holdings | undefined>
  /** A connection on which nothing is sent by itself; dropped after `lifeMs`. */
  connect(lifeMs?: number): Promise<Connection>
}

export async function serve(args: readonly string[] = []): Promise<Served> {
  const parent = await mkdtemp(join(tmpdir(), 'carryon-abuse-'))
  afterTest(() => rm(parent, { recursive: true, force: true, maxRetries: 5 }))
  const dir = join(parent, 'uploads')
  const { child } = start(bin, ['serve', '--port', '0', '--dir', dir, ...args])
  const ended = new Promise((resolve) => void child.once('exit', resolve))
  afterTest(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const out: string[] = []
  let errors = ''
  child.stdout?.on('data', (chunk) => void out.push(String(chunk)))
  child.stderr?.on('data', (chunk) => (errors += String(chunk)))
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
  const port = await until(
    'the server says its port',
    () => {
      if (hasEnded()) throw new Error(`the server ended at its start: ${errors}`)
      return /http:\/\/127\.0\.0\.1:(\d+)\/files\//.exec(out.join(''))?.[1]
    },
    10_000,
  )
  const log = (): readonly Record<string, unknown>[] => jsonLines(out.join(''))
  return {
    port: Number(port),
    url: `http://127.0.0.1:${port}/files/`,
    dir,
    get hasEnded() {
      return hasEnded()
    },
    log,
    complaints: () => [
      ...log()
        .filter(({ level }) => level === 'error' || level === 'fatal')
        .map((line) => JSON.stringify(line)),
      ...(errors === '' ? [] : [errors]),
    ],
    holdings: () => holdingsOf(child.pid),
    connect: (lifeMs = 60_000) =>
      connect({ secure: false, host: '127.0.0.1', port: Number(port) }, AbortSignal.timeout(lifeMs)),
  }
}

async function holdingsOf(pid: number | undefined): Promise<Holdings | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
    const open = await readdir(`/proc/${pid}/fd`)
    // One may be closed between the list and the look.
    const kinds = await Promise.all(open.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => 'closed')))
    const connections = kinds.filter((kind) => kind.startsWith('socket:')).length
    return { connections, others: kinds.length - connections, residentBytes: Number(kibibytes) * 1024 }
  } catch {
    return undefined
  }
}
