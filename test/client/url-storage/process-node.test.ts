import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  parseIdentity,
  type ProcessIdentity,
  systemProcesses,
} from '../../../src/client/url-storage/process-node.ts'

const processes = systemProcesses()
const { self } = processes
const judge = (other: ProcessIdentity): string => processes.judge(other)
const hasProc = existsSync('/proc/self/stat')

describe('what a process knows of another', () => {
  test('itself it knows to be alive, where the system tells when processes started', () => {
    expect(judge(self)).toBe(hasProc ? 'alive' : 'unknown')
  })

  test('one that has ended is dead, whatever has its id now', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    expect(judge({ ...self, pid: child.pid! })).toBe('dead')
    if (hasProc) expect(judge({ ...self, started: '1' })).toBe('dead')
  })

  test('one from before the machine started is dead', () => {
    expect(judge({ ...self, boot: 'another' })).toBe('dead')
  })

  test('of one on another machine or in another container nothing is known', () => {
    expect(judge({ ...self, host: 'another', boot: 'another', pid: 4_000_000 })).toBe('unknown')
    expect(judge({ ...self, namespace: 'another', pid: 4_000_000 })).toBe('unknown')
    expect(judge({ ...self, started: '' })).toBe('unknown')
  })

  test('an identity is read from what was written, and from nothing else', () => {
    expect(parseIdentity(JSON.parse(JSON.stringify({ token: 'x', ...self })))).toEqual(self)
    for (const change of [
      { pid: 0 },
      { pid: '1' },
      { pid: -1 },
      { host: 1 },
      { started: null },
      { boot: 1 },
      { namespace: [] },
    ]) {
      expect(parseIdentity({ ...self, ...change })).toBeUndefined()
    }
    expect(parseIdentity(null)).toBeUndefined()
    expect(parseIdentity('text')).toBeUndefined()
  })
})
