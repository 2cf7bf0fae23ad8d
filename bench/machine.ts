import { readFileSync } from 'node:fs'
import { cpus, loadavg, platform, release, totalmem } from 'node:os'
import { resolve } from 'node:path'

export interface Machine {
  date: string
  cpu: string
  cores: number
  memoryGiB: number
  kernel: string
  node: string
  fileSystem: string
  /** Processes that ran or waited in the minute before: above 0.3 somebody else was at work. */
  loadBefore: number
}

/** Type of the file system a directory lies on, from the longest mount point that holds it. */
function fileSystemOf(directory: string): string {
  const path = resolve(directory)
  let best = { point: '', type: 'unknown' }
  let mounts: string
  try {
    mounts = readFileSync('/proc/mounts', 'utf8')
  } catch {
    return best.type
  }
  for (const line of mounts.split('\n')) {
    const [, point = '', type = ''] = line.split(' ')
    const holds = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`)
    if (point !== '' && holds && point.length >= best.point.length) best = { point, type }
  }
  return best.type
}

export function describeMachine(directory: string): Machine {
  const processors = cpus()
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: `${platform()} ${release()}`,
    node: process.version,
    fileSystem: fileSystemOf(directory),
    loadBefore: loadavg()[0] ?? 0,
  }
}
