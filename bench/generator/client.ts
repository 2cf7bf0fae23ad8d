import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { stop, watch } from '../children.ts'
import type { Load } from '../workloads/workload.ts'
import { replySchema } from './messages.ts'
import type { Command, Reply } from './messages.ts'

const phaseDeadlineMs = 180_000

/** The load generator, seen from the harness: a process of its own, so that its CPU time is not a server's. */
export interface Generator {
  /** @throws when the load fails, or does not end within three minutes. */
  prepare(command: Omit<Extract<Command, { command: 'prepare' }>, 'command'>): Promise<void>
  run(): Promise<Load>
  verify(): Promise<void>
  stop(): Promise<void>
}

function start(): ChildProcess {
  const file = fileURLToPath(new URL('main.ts', import.meta.url))
  return watch(
    fork(file, {
      execArgv: ['--import', import.meta.resolve('tsx')],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
  )
}

function exchange(child: ChildProcess, command: Command): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown): void => settle(() => resolve(replySchema.parse(message)))
    const onExit = (): void => settle(() => reject(new Error('the load generator ended')))
    const timer = setTimeout(
      () => settle(() => reject(new Error(`no end within ${phaseDeadlineMs / 1000} s`))),
      phaseDeadlineMs,
    )
    function settle(finish: () => void): void {
      clearTimeout(timer)
      child.off('message', onMessage)
      child.off('exit', onExit)
      try {
        finish()
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    }
    child.on('message', onMessage)
    child.on('exit', onExit)
    child.send(command)
  })
}

/** Starts the generator; it is replaced by a new one after a phase that did not end. */
export function startGenerator(): Generator {
  let child: ChildProcess | undefined
  async function ask(command: Command): Promise<Load | undefined> {
    child ??= start()
    let reply: Reply
    try {
      reply = await exchange(child, command)
    } catch (error) {
      await stop(child)
      child = undefined
      throw error
    }
    if (reply.outcome === 'failed') throw new Error(reply.message)
    return reply.load
  }
  return {
    async prepare(command) {
      await ask({ command: 'prepare', ...command })
    },
    async run() {
      const load = await ask({ command: 'run' })
      if (load === undefined) throw new Error('the load generator measured nothing')
      return load
    },
    async verify() {
      await ask({ command: 'verify' })
    },
    async stop() {
      if (child !== undefined) await stop(child)
      child = undefined
    },
  }
}
