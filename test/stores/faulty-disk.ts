import { nodeDisk } from '../../src/stores/file/disk.ts'
import type { Disk } from '../../src/stores/file/disk.ts'

export type Call = keyof Disk

function errno(code: string, call: Call): Error {
  return Object.assign(new Error(`${code}: injected, ${call}`), { code })
}

export interface Fault {
  readonly call: Call
  /** The first call is 1. */
  readonly nth: number
  /** `short`: a write that takes only a part and says so. */
  readonly fault: 'EIO' | 'ENOSPC' | 'short'
}

/** A disk on which one call goes wrong. `fired` tells whether it was reached. */
export function diskWith(fault: Fault): { disk: Disk; fired: () => boolean } {
  let count = 0
  let fired = false
  const hit = (call: Call): boolean => {
    if (call !== fault.call) return false
    count += 1
    if (count !== fault.nth) return false
    fired = true
    return true
  }
  const disk = intercept(async (call, run, args) => {
    if (!hit(call)) return run()
    if (fault.fault !== 'short') throw errno(fault.fault, call)
    return writePart(args)
  })
  return { disk, fired: () => fired }
}

/** A disk that stops for good before its call number `after`, as a killed process does. */
export function diskThatStops(after: number): { disk: Disk; stopped: () => boolean } {
  let count = 0
  const disk = intercept(async (call, run) => {
    count += 1
    if (count > after) throw errno('EKILLED', call)
    return run()
  })
  return { disk, stopped: () => count > after }
}

/** A disk whose calls of one kind wait until they are let go. */
export function diskThatHolds(held: Call): { disk: Disk; release: () => void; reached: Promise<void> } {
  let release = (): void => {}
  let arrive = (): void => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  const reached = new Promise<void>((resolve) => (arrive = resolve))
  const disk = intercept(async (call, run) => {
    if (call === held) {
      arrive()
      await gate
    }
    return run()
  })
  return { disk, release, reached }
}

/** A disk that notes the name of every call. */
export function diskThatNotes(): { disk: Disk; calls: Call[] } {
  const calls: Call[] = []
  const disk = intercept(async (call, run) => {
    calls.push(call)
    return run()
  })
  return { disk, calls }
}

type Intercept = (call: Call, run: () => Promise<unknown>, args: readonly unknown[]) => Promise<unknown>

function intercept(around: Intercept): Disk {
  const entries = Object.entries(nodeDisk).map(([name, method]) => {
    const call = name as Call
    const run = method as (...args: unknown[]) => Promise<unknown>
    return [name, (...args: unknown[]) => around(call, () => run(...args), args)]
  })
  return Object.fromEntries(entries) as Disk
}

function writePart([fd, chunks, position]: readonly unknown[]): Promise<number> {
  const [first] = chunks as Uint8Array[]
  if (first === undefined) return Promise.resolve(0)
  return nodeDisk.writev(
    fd as number,
    [first.subarray(0, Math.ceil(first.byteLength / 3))],
    position as number,
  )
}
