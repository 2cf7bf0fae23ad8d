import type { ChildProcess } from 'node:child_process'
import { processTree } from './measure.ts'

const running = new Set<ChildProcess>()

/** Remembers a child until it exits, so that {@link killAll} leaves nobody behind. */
export function watch<T extends ChildProcess>(child: T): T {
  running.add(child)
  child.once('exit', () => running.delete(child))
  child.once('error', () => running.delete(child))
  return child
}

function signalTree(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  // Children first: a tracer that dies before the process it traces would leave it running.
  for (const pid of processTree(child.pid).toReversed()) {
    try {
      process.kill(pid, signal)
    } catch {
      // It was gone already.
    }
  }
}

function exited(child: ChildProcess, withinMs: number): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve(true)
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), withinMs)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}

/** Ends a child and its children: politely first, by force after five seconds. */
export async function stop(child: ChildProcess): Promise<void> {
  signalTree(child, 'SIGTERM')
  if (await exited(child, 5000)) return
  signalTree(child, 'SIGKILL')
  await exited(child, 5000)
}

/** Ends every child at once; safe in an `exit` handler. */
export function killAll(): void {
  for (const child of running) signalTree(child, 'SIGKILL')
}
