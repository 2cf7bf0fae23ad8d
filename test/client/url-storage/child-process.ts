import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Answer, Question } from './child.ts'

/** A storage in a real process of its own. */
export interface StorageChild {
  readonly pid: number
  call(method: string, ...values: unknown[]): Promise<unknown>
  signal(signal: NodeJS.Signals): void
  /** Resolves when the process has ended. */
  readonly ended: Promise<unknown>
}

/** What a child tells without having been asked. */
export interface Telling {
  onPut?(key: string): void
  onCount?(by: number): void
}

const script = fileURLToPath(new URL('child.ts', import.meta.url))
const children: ChildProcess[] = []

/** Ends every child that a test has left, stopped ones too. */
export async function endChildren(): Promise<void> {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

/** Starts a process that takes a right, gives it back and ends; what it says comes line by line. */
export function startWaiter(
  kind: string,
  path: string,
): { lines: AsyncIterator<string>; ended: Promise<unknown> } {
  const child = spawn(process.execPath, ['--import', 'tsx', script, kind, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  return { lines: createInterface(child.stdout)[Symbol.asyncIterator](), ended: once(child, 'exit') }
}

export async function startChild(kind: string, path: string, telling: Telling = {}): Promise<StorageChild> {
  const child = spawn(process.execPath, ['--import', 'tsx', script, kind, path], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  children.push(child)
  const waiting = new Map<number, (answer: Answer) => void>()
  child.on('message', (answer: Answer) => {
    if (answer.number === -1 && 'value' in answer) telling.onPut?.(String(answer.value))
    else if (answer.number === -2 && 'value' in answer) {
      telling.onCount?.(Number(answer.value))
      child.send('counted', () => undefined)
    } else waiting.get(answer.number)?.(answer)
  })
  const ended = once(child, 'exit')
  const answered = (number: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(number, (answer) =>
        'error' in answer ? reject(new Error(answer.error)) : resolve(answer.value),
      )
      void ended.then(() => reject(new Error('the process has ended')))
    })
  await answered(0)
  let number = 0
  return {
    pid: child.pid!,
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
