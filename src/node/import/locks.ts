import { readInfo } from './read-info.ts'

/** A process that is writing an upload at this moment. */
export interface LiveLock {
  readonly path: string
  readonly pid: number
}

/** Finds a lock of tusd whose process lives. Those of processes that have ended count as little as they do for tusd. */
export async function findLiveLock(paths: readonly string[]): Promise<LiveLock | undefined> {
  for (const path of paths) {
    const content = await readInfo(path)
    const digits = content.ok ? /^\s*([0-9]{1,9})\s*$/.exec(content.value.text)?.[1] : undefined
    const pid = Number(digits ?? 0)
    if (pid > 0 && isAlive(pid)) return { path, pid }
  }
  return undefined
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process is alive as well.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
