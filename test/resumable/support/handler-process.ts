import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterTest } from '../../e2e/support/after-test.ts'
import { until, within } from '../../e2e/support/until.ts'
import type { Told } from '../child.ts'

const child = fileURLToPath(new URL('../child.ts', import.meta.url))

/** An app with a resumable handler in a process of its own. */
export class HandlerProcess {
  readonly #process: ChildProcess
  /** Everything that it has said, in order. */
  readonly told: Told[] = []

  private constructor(process: ChildProcess) {
    this.#process = process
    if (process.stdout === null) throw new Error('it has no output')
    createInterface(process.stdout).on('line', (line) => this.told.push(JSON.parse(line) as Told))
  }

  /** @param manner - How its handler behaves; see the child. */
  static async start(dir: string, manner: 'answer' | 'hang' | 'late' | 'slow'): Promise<HandlerProcess> {
    const started = spawn(process.execPath, ['--import', 'tsx', child, dir, manner], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const one = new HandlerProcess(started)
    afterTest(() => one.kill())
    await one.heard('ready', 20_000)
    return one
  }

  get url(): string {
    return `http://127.0.0.1:${this.told[0]?.port}/photos`
  }

  get calls(): readonly Told[] {
    return this.told.filter(({ kind }) => kind === 'called')
  }

  heard(kind: Told['kind'], withinMs?: number): Promise<Told> {
    return until(`the process says ${kind}`, () => this.told.find((told) => told.kind === kind), withinMs)
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    // Not its exit: what it has said before may still be on its way.
    const ended = once(this.#process, 'close')
    this.#process.kill('SIGKILL')
    await within('the process ends', ended, 10_000)
  }
}
