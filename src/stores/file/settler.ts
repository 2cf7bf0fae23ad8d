import { Worker } from 'node:worker_threads'

import { corrupt } from './disk-errors.ts'
import { settle } from './settle.ts'
import type { SettleJob, SettlePlace, SettleResult, SettleTools } from './settle.ts'
import type { SettleAnswer, SettleRequest, SettledJob } from './settle-messages.ts'

/** The code of the worker, in the language that this module is in. */
export const settleWorkerFile: URL = new URL(
  import.meta.url.endsWith('.ts') ? './settle-worker.ts' : './settle-worker.js',
  import.meta.url,
)

interface Pending {
  readonly jobs: readonly SettleJob[]
  readonly resolve: (results: SettleResult[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * Settles uploads: in a worker thread where one can be started (a bundler may have lost its file), else in this thread
 * with calls that do not block. The worker starts with the first batch and never keeps the process alive.
 */
export class Settler {
  readonly #place: SettlePlace
  readonly #tools: SettleTools
  readonly #pending = new Map<number, Pending>()
  #worker: Worker | undefined
  #workerFile: URL | undefined
  #batches = 0

  /** Without `workerFile` everything is done in this thread. */
  constructor(place: SettlePlace, tools: SettleTools, workerFile: URL | undefined) {
    this.#place = place
    this.#tools = tools
    this.#workerFile = workerFile
  }

  /** For what is only linked: two calls per upload are not worth a message. */
  settleHere(jobs: readonly SettleJob[]): Promise<SettleResult[]> {
    return settle(this.#tools, this.#place, jobs)
  }

  /** For what is written or copied. */
  settle(jobs: readonly SettleJob[]): Promise<SettleResult[]> {
    const worker = (this.#worker ??= this.#start())
    if (worker === undefined) return this.settleHere(jobs)
    return new Promise((resolve, reject) => {
      const batch = (this.#batches += 1)
      this.#pending.set(batch, { jobs, resolve, reject })
      // A batch under way holds the process; an idle worker does not.
      worker.ref()
      const own = jobs.map(withOwnBytes)
      worker.postMessage({ batch, place: this.#place, jobs: own } satisfies SettleRequest)
    })
  }

  async close(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    this.#workerFile = undefined
    await worker?.terminate()
  }

  #start(): Worker | undefined {
    if (this.#workerFile === undefined) return undefined
    try {
      const worker = startThread(this.#workerFile)
      worker.on('message', (answer: SettleAnswer) => this.#answered(answer))
      worker.on('error', () => this.#lost(worker))
      worker.on('exit', () => this.#lost(worker))
      return worker
    } catch {
      this.#workerFile = undefined
      return undefined
    }
  }

  #answered(answer: SettleAnswer): void {
    const pending = this.#pending.get(answer.batch)
    this.#pending.delete(answer.batch)
    if (this.#pending.size === 0) this.#worker?.unref()
    pending?.resolve(answer.results.map(toResult))
  }

  /** The worker could not start or died: its batches are done here. That is safe, settling can be repeated. */
  #lost(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined
    this.#workerFile = undefined
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { jobs, resolve, reject } of pending) this.settleHere(jobs).then(resolve, reject)
  }
}

function startThread(file: URL): Worker {
  const strips = Boolean(Reflect.get(process.features, 'typescript'))
  const native = strips || 'bun' in process.versions || 'deno' in process.versions
  if (native || !file.pathname.endsWith('.ts')) return new Worker(file)
  // Run from source: Node 20 cannot load TypeScript, and `--import tsx` has no effect in a worker.
  const load = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(file.href)})))`
  return new Worker(load, { eval: true })
}

/** Posting a view copies the whole buffer under it, and that may be a pool much larger than the upload. */
function withOwnBytes(job: SettleJob): SettleJob {
  return job.inline === undefined ? job : { ...job, inline: new Uint8Array(job.inline) }
}

function toResult(settled: SettledJob): SettleResult {
  if (settled.ok) return settled
  if (settled.corrupt) return { ok: false, error: corrupt(settled.message) }
  return { ok: false, error: Object.assign(new Error(settled.message), { code: settled.code }) }
}
