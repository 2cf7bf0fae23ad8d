import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { openConnection } from './connection.ts'
import { loadDriver } from './driver.ts'
import { Engine } from './engine.ts'
import type { Batch } from './operations.ts'
import type { FromWorker, ToWorker, WorkerSetup } from './worker-messages.ts'

/** A moment without work counts as quiet after this. */
const QUIET_AFTER_MS = 20

void start(workerData as WorkerSetup & { readonly port: MessagePort })

async function start({ port, ...setup }: WorkerSetup & { readonly port: MessagePort }): Promise<void> {
  const tell = (message: FromWorker): void => port.postMessage(message)
  try {
    const open = await loadDriver()
    const engine = new Engine(openConnection(open, setup.path, setup.durability))
    tell({ kind: 'ready' })
    serve(port, engine, tell)
  } catch (error) {
    tell({ kind: 'failed', error })
  }
}

function serve(port: MessagePort, engine: Engine, tell: (message: FromWorker) => void): void {
  let quiet: NodeJS.Timeout | undefined
  const checkpoint = (): void => {
    const fatal = engine.checkpoint()
    if (fatal !== undefined) tell({ kind: 'fatal', reason: fatal })
  }
  port.on('message', (first: ToWorker) => {
    // Everything that has queued up while the last group was synced is the next group.
    const { batches, close } = drain(port, first)
    if (batches.length > 0) tell({ kind: 'reply', reply: engine.run(batches) })
    clearTimeout(quiet)
    if (close) {
      engine.close()
      port.close()
      return
    }
    const due = engine.checkpointDue()
    if (due === 'now') checkpoint()
    else if (due === 'when-quiet') quiet = setTimeout(checkpoint, QUIET_AFTER_MS)
  })
}

function drain(port: MessagePort, first: ToWorker): { batches: Batch[]; close: boolean } {
  const batches: Batch[] = []
  let message: ToWorker | undefined = first
  while (message !== undefined && message !== 'close') {
    batches.push(message)
    const received: { message: unknown } | undefined = receiveMessageOnPort(port)
    message = received?.message as ToWorker | undefined
  }
  return { batches, close: message === 'close' }
}
