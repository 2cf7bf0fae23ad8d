import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Whether data syncs can be counted here: `strace` exists and may trace. */
export function canCountSyncs(): boolean {
  return (
    spawnSync('strace', ['-f', '-o', '/dev/null', 'true'], { stdio: 'ignore', timeout: 10_000 }).status === 0
  )
}

/**
 * Command that runs a server with its syncs written to `file`, a line each.
 *
 * Lines instead of a summary (`-c`): only so can those of the start be told from those of the load. The filter in
 * the kernel keeps all other system calls at their usual speed.
 */
export function syncTracer(file: string): readonly string[] {
  return ['strace', '-f', '-qq', '--seccomp-bpf', '-e', 'trace=fsync,fdatasync', '-o', file]
}

/** Syncs traced so far. */
export function countSyncs(file: string): number {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return 0
  }
  // An interrupted call has a second line, `<... fsync resumed>`, which has no bracket behind the name.
  return text.match(/\bf(?:data)?sync\(/g)?.length ?? 0
}
