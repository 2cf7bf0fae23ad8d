import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '../../core/ports/clock.ts'

/** One run of an executable file, without a shell. */
export interface Run {
  readonly file: string
  readonly directory: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly input: string
  /** More output than that ends it; `undefined`: nobody looks at its output. */
  readonly outputBytes: number | undefined
  readonly errorBytes: number
  /** Between the polite signal and the other one. */
  readonly killAfterMs: number
  readonly clock: Clock
  /** Ends it, and everything that it has started. */
  readonly signal: AbortSignal
}

export interface RunResult {
  /** `null`: a signal has ended it. */
  readonly exitCode: number | null
  readonly exitSignal: NodeJS.Signals | null
  /** `undefined`: it wrote more than is read, and was ended for that. */
  readonly output: string | undefined
  /** The end of what it has written for people. */
  readonly errors: string
}

/** How long the end of its output is waited for when it is gone: what it left behind may hold that open for ever. */
const LAST_OUTPUT_MS = 250

/**
 * Runs a file to its end.
 *
 * @returns How it ended, also when `signal` made it: nothing of it runs any more then, unless the system lets it.
 * @throws the error of the system when it cannot be started.
 */
export function runFile(run: Run): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    // A group of its own: a script may have started something that has to end with it.
    const child = spawn(run.file, [], {
      cwd: run.directory,
      env: { ...run.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    child.on('error', reject)
    child.once('spawn', () => {
      void new Running(run, child).result().then(resolve, reject)
    })
  })
}

class Running {
  readonly #run: Run
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #output: Tail
  readonly #errors: Tail
  #cancelKill = (): void => undefined
  #hasTooMuch = false
  #isStopped = false

  constructor(run: Run, child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#run = run
    this.#child = child
    this.#output = new Tail(run.outputBytes ?? 0)
    this.#errors = new Tail(run.errorBytes)
  }

  async result(): Promise<RunResult> {
    const { signal, input } = this.#run
    const child = this.#child
    const closed = new Promise<void>((resolve) => void child.once('close', () => resolve()))
    const exited = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      child.once('exit', (code, by) => resolve([code, by]))
    })
    child.stdout.on('data', (chunk: Buffer) => this.#take(chunk))
    child.stderr.on('data', (chunk: Buffer) => this.#errors.add(chunk))
    // A file that does not read what it is told is free to.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    signal.addEventListener('abort', this.#stop, { once: true })
    if (signal.aborted) this.#stop()
    const [exitCode, exitSignal] = await exited
    signal.removeEventListener('abort', this.#stop)
    void closed.then(() => this.#cancelKill())
    await this.#lastOutput(closed)
    const output = this.#hasTooMuch ? undefined : this.#output.text()
    return { exitCode, exitSignal, output, errors: this.#errors.text() }
  }

  #take(chunk: Buffer): void {
    if (this.#run.outputBytes === undefined || this.#hasTooMuch) return
    this.#output.add(chunk)
    this.#hasTooMuch = this.#output.isCut
    if (this.#hasTooMuch) this.#stop()
  }

  readonly #stop = (): void => {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#kill('SIGTERM')
    this.#cancelKill = this.#run.clock.after(this.#run.killAfterMs, () => this.#kill('SIGKILL'))
  }

  #kill(signal: NodeJS.Signals): void {
    const { pid } = this.#child
    if (pid === undefined) return
    if (process.platform === 'win32') return void this.#child.kill(signal)
    try {
      process.kill(-pid, signal)
    } catch {
      // Nothing of it is left.
    }
  }

  /** Waits for what is still in the pipes, but not for a program in the background that keeps them. */
  async #lastOutput(closed: Promise<void>): Promise<void> {
    let cancel = (): void => undefined
    const late = new Promise<void>((resolve) => {
      const killMs = this.#isStopped ? this.#run.killAfterMs : 0
      cancel = this.#run.clock.after(killMs + LAST_OUTPUT_MS, resolve)
    })
    await Promise.race([closed, late])
    cancel()
    for (const pipe of [this.#child.stdout, this.#child.stderr]) {
      // Still read: who writes into a pipe that nobody reads is killed by it, or waits for ever.
      if (pipe instanceof Socket) pipe.unref()
    }
  }
}

/** Keeps the end of what was written. */
class Tail {
  readonly #limitBytes: number
  #chunks: Buffer[] = []
  #bytes = 0
  /** Whether something is missing at its beginning. */
  isCut = false

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes <= this.#limitBytes) return
    this.isCut = true
    const kept = Buffer.concat(this.#chunks).subarray(-this.#limitBytes)
    this.#chunks = [Buffer.from(kept)]
    this.#bytes = kept.length
  }

  text(): string {
    return new TextDecoder().decode(Buffer.concat(this.#chunks))
  }
}
