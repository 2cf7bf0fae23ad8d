import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
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

/** Starts the worker; the database it opens must exist and be migrated. */
export function startWorker(setup: WorkerSetup, events: WriterEvents): Promise<WriterThread | undefined> {
  // Run from source the module is TypeScript, which only a loader can start on older Node versions.
  const source = import.meta.url.endsWith('.ts')
  const native = 'bun' in process.versions || 'deno' in process.versions
  const { port1: port, port2 } = new MessageChannel()
  const worker = new Worker(new URL(source ? './worker.ts' : './worker.js', import.meta.url), {
    // A port of its own: not every runtime lets a worker empty the queue of its parent port.
    workerData: { ...setup, port: port2 },
    transferList: [port2],
    ...(source && !native ? { execArgv: ['--import', 'tsx'] } : {}),
  })
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
