import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Run as a user who owns nothing, where we are allowed to. */
  readonly asNobody?: boolean
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A running `carryon`. */
export interface RunningCommand {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  /** Waits for a JSON line of the log with this message. */
  logged(message: string): Promise<Record<string, unknown>>
}

const NOBODY = 65_534
const running = new Set<ChildProcess>()

/** Starts `carryon` without any of our own `CARRYON_*` variables. */
export function start(bin: string, args: readonly string[], options: CommandOptions = {}): RunningCommand {
  const isRoot = process.getuid?.() === 0
  const child = spawn(process.execPath, [bin, ...args], {
    env: { PATH: process.env['PATH'], ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.asNobody === true && isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  })
  running.add(child)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += String(chunk)))
  child.stderr.on('data', (chunk) => (stderr += String(chunk)))
  const finished = once(child, 'close').then(([code]: (number | null)[]): Finished => {
    running.delete(child)
    return { code: code ?? null, stdout, stderr }
  })
  const find = (message: string): Record<string, unknown> | undefined =>
    jsonLines(stdout).find((line) => line['msg'] === message)
  return {
    child,
    finished,
    async logged(message) {
      for (;;) {
        const line = find(message)
        if (line !== undefined) return line
        const ended = await Promise.race([once(child.stdout, 'data'), finished])
        if (!Array.isArray(ended) && find(message) === undefined) {
          throw new Error(`it ended without "${message}": ${JSON.stringify(ended)}`)
        }
      }
    },
  }
}

/** Runs `carryon` to its end. */
export function run(bin: string, args: readonly string[], options?: CommandOptions): Promise<Finished> {
  return start(bin, args, options).finished
}

/** The whole lines of a log. */
export function jsonLines(text: string): readonly Record<string, unknown>[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Record<string, unknown> => JSON.parse(line))
}

/** Ends what a failed test has left running. */
export async function stopAll(): Promise<void> {
  for (const child of running) {
    child.kill('SIGKILL')
    await once(child, 'close')
  }
}
