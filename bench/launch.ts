import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { stop, watch } from './children.ts'
import { cpuTimeMs } from './measure.ts'
import type { ServerKind } from './servers.ts'

const startDeadlineMs = 20_000

export interface RunningServer {
  readonly kind: ServerKind
  readonly pid: number
  readonly port: number
  /** From the spawn to the first answer to OPTIONS. */
  readonly startMs: number
  /** Waits until the server has stopped working, so that work it put off is counted too (at most 5 s). */
  settle(): Promise<void>
  stop(): Promise<void>
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      probe.close(() => resolve(port))
    })
  })
}

/** Whether the port answers HTTP at all; any status will do. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const end = (answered: boolean): void => {
      socket.destroy()
      resolve(answered)
    }
    socket.setTimeout(2000, () => end(false))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
    socket.once('data', (data) => end(data.subarray(0, 5).toString('latin1') === 'HTTP/'))
    socket.write(`OPTIONS /files/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nTus-Resumable: 1.0.0\r\n\r\n`)
  })
}

function logTail(log: string): string {
  const text = readFileSync(log, 'utf8').trim()
  return text === '' ? 'it printed nothing' : text.slice(-2000)
}

async function untilAnswering(child: ChildProcess, port: number, log: string): Promise<void> {
  let failure: Error | undefined
  child.once('error', (error) => {
    failure = error
  })
  const deadline = performance.now() + startDeadlineMs
  while (!(await answers(port))) {
    if (failure !== undefined) throw failure
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the server ended before it answered: ${logTail(log)}`)
    }
    if (performance.now() > deadline) {
      await stop(child)
      throw new Error(`no answer within ${startDeadlineMs} ms: ${logTail(log)}`)
    }
    await sleep(3)
  }
}

async function settle(pid: number): Promise<void> {
  let last = cpuTimeMs(pid)
  let quiet = 0
  for (let turn = 0; turn < 50 && quiet < 3; turn += 1) {
    await sleep(100)
    const now = cpuTimeMs(pid)
    quiet = now === last ? quiet + 1 : 0
    last = now
  }
}

/**
 * Starts a server on a free port of 127.0.0.1 and waits for its first answer.
 *
 * @param log - Its output goes to this file: a pipe would make the harness work while it measures.
 * @param prefix - A command to run it under, such as a tracer.
 * @throws with the end of its output when it does not answer in time.
 */
export async function launch(options: {
  kind: ServerKind
  directory: string
  log: string
  prefix?: readonly string[]
}): Promise<RunningServer> {
  const { kind, directory, log, prefix = [] } = options
  const port = await freePort()
  const data = join(directory, 'data')
  mkdirSync(data)
  const { file, args } = kind.command(port, data)
  const [program = file, ...rest] = [...prefix, file, ...args]
  const output = openSync(log, 'w')
  const started = performance.now()
  const child = watch(spawn(program, rest, { stdio: ['ignore', output, output], cwd: directory }))
  closeSync(output)
  await untilAnswering(child, port, log)
  const startMs = performance.now() - started
  const pid = child.pid ?? 0
  return { kind, pid, port, startMs, settle: () => settle(pid), stop: () => stop(child) }
}
