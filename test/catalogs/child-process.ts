import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Question {
  readonly number: number
  readonly method: string
  readonly values: readonly unknown[]
}

export type Answer =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly code: string }

/** A catalog in a real process of its own. */
export interface CatalogChild {
  /** Calls a method of its catalog. Rejects with an error whose message is the code. */
  call(method: string, ...values: unknown[]): Promise<unknown>
  signal(signal: NodeJS.Signals): void
  /** Resolves when the process has ended. */
  readonly ended: Promise<unknown>
}

const children: ChildProcess[] = []

/** Ends every child that a test has left, stopped ones too. */
export async function endChildren(): Promise<void> {
  for (const child of children.splice(0)) {
    // A tracer's process is not ours to kill; it ends when nobody talks to it any more.
    if (child.connected) child.disconnect()
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

/** Starts a process with a catalog; `tracer` is a command that runs it. */
export async function startChild(
  path: string,
  { durability = 'power', tracer = [] }: { durability?: string; tracer?: readonly string[] } = {},
): Promise<CatalogChild> {
  const script = fileURLToPath(new URL('child.ts', import.meta.url))
  const [command, ...rest] = [...tracer, process.execPath, '--import', 'tsx', script, path, durability]
  const child = spawn(command, rest, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  })
  children.push(child)
  const waiting = new Map<number, (answer: Answer) => void>()
  child.on('message', (answer: Answer) => waiting.get(answer.number)?.(answer))
  const ended = once(child, 'exit')
  const answered = (number: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(number, (answer) =>
        'code' in answer ? reject(new Error(answer.code)) : resolve(answer.value),
      )
      void ended.then(() => reject(new Error('the process has ended')))
    })
  await answered(0)
  let number = 0
  return {
    ended,
    signal: (signal) => void child.kill(signal),
    call(method, ...values) {
      number += 1
      const result = answered(number)
      child.send({ number, method, values } satisfies Question, () => undefined)
      return result
    },
  }
}
