import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterTest } from './after-test.ts'
import { within } from './until.ts'

const cli = fileURLToPath(new URL('../../../bin/carryon.cjs', import.meta.url))

interface ServerOptions {
  readonly dir: string
  readonly args?: readonly string[]
}

/** A real `carryon serve`, ended after the test if it has not ended by then. */
export class ServerProcess {
  readonly #process: ChildProcess
  /** Creation URL. */
  readonly url: string
  /** Milliseconds from its start to its first word that it serves. */
  readonly startMs: number
  readonly #output: () => string

  private constructor(process: ChildProcess, url: string, startMs: number, output: () => string) {
    this.#process = process
    this.url = url
    this.startMs = startMs
    this.#output = output
  }

  static async start({ dir, args = [] }: ServerOptions): Promise<ServerProcess> {
    const startedMs = performance.now()
    const child = spawn(process.execPath, [cli, 'serve', '--port', '0', '--dir', dir, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const url = new Promise<string>((resolve, reject) => {
      const hear = (chunk: Buffer): void => {
        output += chunk.toString()
        const found = /http:\/\/127\.0\.0\.1:\d+\/files\//.exec(output)
        if (found !== null) resolve(found[0])
      }
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
      child.once('exit', (code) => reject(new Error(`the server ended at start with ${code}: ${output}`)))
    })
    try {
      const heard = await within('the server says its URL', url, 10_000)
      const server = new ServerProcess(child, heard, performance.now() - startedMs, () => output)
      afterTest(() => server.end('SIGKILL'))
      return server
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
  }

  /** All that it has printed. */
  get output(): string {
    return this.#output()
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Sends a signal and waits for the end. @returns The exit code; `null` if the signal ended it. */
  async end(signal: NodeJS.Signals, waitMs = 15_000): Promise<number | null> {
    if (!this.hasEnded) {
      const ended = once(this.#process, 'exit')
      this.#process.kill(signal)
      // A stopped process takes no other signal than SIGKILL until it goes on.
      if (signal !== 'SIGKILL') this.#process.kill('SIGCONT')
      await within(`the server ends after ${signal}`, ended, waitMs)
    }
    return this.#process.exitCode
  }
}
