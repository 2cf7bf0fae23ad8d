import { MessageChannel, type MessagePort, Worker, type WorkerOptions } from 'node:worker_threads'
import { openConnection } from './connection.ts'
import type { OpenDatabase } from './driver.ts'
import { Engine } from './engine.ts'
import type { Batch, Reply } from './operations.ts'
import type { FromWorker, ToWorker, WorkerSetup } from './worker-messages.ts'

/** What the thread that writes tells. */
export interface WriterEvents {
  reply(reply: Reply): void
  fatal(reason: string): void
}

/** The thread that writes. Replies come in the order of the batches, several batches may share one. */
export interface WriterThread {
  post(batch: Batch): void
  /** Whether answers are awaited: only then the thread keeps the process alive. */
  hold(waiting: boolean): void
  /** Finishes what was posted and closes the database. */
  close(): Promise<void>
}

/** The code of the worker, in the language that this module is in. */
const workerFile = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)

/** Starts the worker; the database it opens must exist and be migrated. */
export function startWorker(setup: WorkerSetup, events: WriterEvents): Promise<WriterThread | undefined> {
  const { port1: port, port2 } = new MessageChannel()
  // A port of its own: not every runtime lets a worker empty the queue of its parent port.
  const worker = startThread(workerFile, { workerData: { ...setup, port: port2 }, transferList: [port2] })
  return new Promise((resolve, reject) => {
    let ready = false
    const ended: (() => void)[] = []
    port.on('message', (message: FromWorker) => {
      if (message.kind === 'reply') events.reply(message.reply)
      else if (message.kind === 'fatal') events.fatal(message.reason)
      else if (message.kind === 'failed') reject(message.error)
      else if (message.kind === 'ready') {
        ready = true
        worker.unref()
        resolve(workerThread(worker, port, ended))
      }
    })
    // The worker itself keeps the process alive until it is ready.
    port.unref()
    worker.on('error', (error) => {
      // Not even loaded: a bundler has lost the file. The caller goes on without.
      if (ready) events.fatal(`The thread that writes has failed: ${String(error)}`)
      else resolve(undefined)
    })
    worker.on('exit', () => {
      if (ended.length === 0 && ready) events.fatal('The thread that writes has ended.')
      for (const done of ended) done()
      port.close()
      resolve(undefined)
    })
  })
}

/* The file store starts its worker in the same way. Neighbours do not import each other, and core knows no threads. */
function startThread(file: URL, options: WorkerOptions): Worker {
  const strips = Boolean(Reflect.get(process.features, 'typescript'))
  const native = strips || 'bun' in process.versions || 'deno' in process.versions
  if (native || !file.pathname.endsWith('.ts')) return new Worker(file, options)
  // Run from source: Node 20 cannot load TypeScript, and `--import tsx` has no effect in a worker.
  const load = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(file.href)})))`
  return new Worker(load, { ...options, eval: true })
}

function workerThread(worker: Worker, port: MessagePort, ended: (() => void)[]): WriterThread {
  return {
    post: (batch) => port.postMessage(batch satisfies ToWorker),
    hold: (waiting) => (waiting ? port.ref() : port.unref()),
    close: () =>
      new Promise((resolve) => {
        ended.push(resolve)
        worker.ref()
        port.postMessage('close' satisfies ToWorker)
      }),
  }
}

/** The same engine on this thread: every sync blocks the event loop. */
export function sameThread(open: OpenDatabase, setup: WorkerSetup, events: WriterEvents): WriterThread {
  const engine = new Engine(openConnection(open, setup.path, setup.durability))
  let waiting: Batch[] = []
  const run = (): void => {
    const batches = waiting
    waiting = []
    if (batches.length > 0) events.reply(engine.run(batches))
    if (engine.checkpointDue() === 'no') return
    const fatal = engine.checkpoint()
    if (fatal !== undefined) events.fatal(fatal)
  }
  return {
    post(batch) {
      if (waiting.push(batch) === 1) setImmediate(run)
    },
    hold: () => undefined,
    async close() {
      run()
      engine.close()
    },
  }
}
