import { workloads } from '../workloads/table.ts'
import type { Session } from '../workloads/workload.ts'
import { commandSchema } from './messages.ts'
import type { Command, Reply } from './messages.ts'

let session: Session | undefined

async function prepare(command: Extract<Command, { command: 'prepare' }>): Promise<Reply> {
  const workload = workloads.find((each) => each.name === command.workload)
  if (workload?.kind !== 'load') throw new Error(`no such load: ${command.workload}`)
  const target = { port: command.port, path: '/files/' }
  session = await workload.prepare({ target, amount: command.amount, variant: command.variant })
  return { outcome: 'done' }
}

async function perform(command: Command): Promise<Reply> {
  if (command.command === 'prepare') return prepare(command)
  if (session === undefined) throw new Error('nothing was prepared')
  if (command.command === 'run') return { outcome: 'done', load: await session.run() }
  await session.verify()
  return { outcome: 'done' }
}

async function answer(message: unknown): Promise<void> {
  let reply: Reply
  try {
    reply = await perform(commandSchema.parse(message))
  } catch (error) {
    reply = { outcome: 'failed', message: error instanceof Error ? error.message : String(error) }
  }
  process.send?.(reply)
}

process.on('message', (message) => void answer(message))
// The harness is gone: a generator without it would load the machine for nobody.
process.on('disconnect', () => process.exit(0))
