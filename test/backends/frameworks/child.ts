import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterTest } from '../../e2e/support/after-test.ts'
import { until, within } from '../../e2e/support/until.ts'

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

/** A process and whatever it starts: none of them outlives the test. */
export class Child {
  readonly #process: ChildProcess
  readonly #exited: Promise<unknown>
  /** All that it has printed. */
  output = ''

  constructor({ program, args, cwd, env }: Command) {
    // A group of its own, so that the processes it starts can be ended with it.
    this.#process = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#exited = once(this.#process, 'close')
    // Whoever waits for it hears of it.
    this.#exited.catch(() => undefined)
    afterTest(() => this.kill())
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
    }
  }

  get hasEnded(): boolean {
    const { pid, exitCode, signalCode } = this.#process
    return pid === undefined || exitCode !== null || signalCode !== null
  }

  /** @returns The exit code; `undefined` when it did not end in time, and was killed. */
  async run(withinMs: number): Promise<number | undefined> {
    const timer = setTimeout(() => void this.kill(), withinMs)
    await this.#exited
    clearTimeout(timer)
    return this.#process.exitCode ?? undefined
  }

  /** Asks it to end, as a supervisor does, and waits until it and all that it started have ended. */
  async stop(withinMs: number): Promise<void> {
    this.#process.kill('SIGTERM')
    await within('it ends after SIGTERM', this.#exited, withinMs)
    await until('all that it started has ended', () => !this.#isGroupThere(), withinMs)
  }

  async kill(): Promise<void> {
    if (this.#isGroupThere()) this.#signalGroup('SIGKILL')
    await this.#exited.catch(() => undefined)
  }

  #isGroupThere(): boolean {
    return this.#signalGroup(0)
  }

  /** @returns Whether there is a process in the group. */
  #signalGroup(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#process
    if (pid === undefined) return false
    try {
      return process.kill(-pid, signal)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
      throw error
    }
  }
}
