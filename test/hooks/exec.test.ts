import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { execTransport } from '../../src/hooks/exec/exec-transport.ts'
import type { ExecTransportOptions } from '../../src/hooks/exec/exec-transport.ts'
import type { HookError } from '../../src/hooks/ports/hook-error.ts'
import { isHookError } from '../../src/hooks/ports/hook-error.ts'
import type { HookType } from '../../src/hooks/hook-types.ts'
import type { HookTransport } from '../../src/hooks/ports/transport.ts'
import { aCall, never } from './samples.ts'
import { temporaryDirectory } from './temporary-directory.ts'

interface Scene {
  readonly directory: string
  readonly transport: HookTransport
  readonly read: (name: string) => Promise<string>
}

/** A directory with one hook. */
async function scene(
  type: HookType,
  script: string,
  options: Partial<ExecTransportOptions> = {},
): Promise<Scene> {
  const directory = await realpath(await temporaryDirectory())
  await writeFile(join(directory, type), script)
  await chmod(join(directory, type), 0o755)
  const transport = execTransport({ directory, killAfterMs: 300, ...options })
  return { directory, transport, read: (name) => readFile(join(directory, name), 'utf8') }
}

async function failure(promise: Promise<unknown>): Promise<HookError> {
  const error: unknown = await promise.then(
    () => 'resolved',
    (reason: unknown) => reason,
  )
  if (!isHookError(error)) throw new Error('not a HookError', { cause: error })
  return error
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  // A zombie is gone, only nobody has asked for it yet.
  return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z')
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 5000
  while (!(await holds())) {
    if (Date.now() > giveUpAt) throw new Error('waited in vain')
    await new Promise((resolve) => void setTimeout(resolve, 10))
  }
}

describe('a file', () => {
  test('gets the message, the environment of tusd and ours, and its directory', async () => {
    const { directory, transport, read } = await scene(
      'post-finish',
      '#!/bin/sh\ncat > message\nenv > environment\npwd > where\necho "$#" > arguments\n',
    )
    const call = aCall('post-finish', { sequence: 7, attempt: 2 })
    const Upload = { ...call.event.Upload, Offset: 10 }
    await transport.invoke({ ...call, event: { ...call.event, Upload } }, never())
    expect(JSON.parse(await read('message'))).toMatchObject({ Type: 'post-finish', Carryon: { Sequence: 7 } })
    const environment = (await read('environment')).split('\n')
    expect(environment).toEqual(
      expect.arrayContaining([
        `TUS_ID=${Upload.ID}`,
        'TUS_SIZE=1000',
        'TUS_OFFSET=10',
        `CARRYON_EVENT_ID=${call.id}`,
        'CARRYON_EVENT_TYPE=post-finish',
        'CARRYON_SEQUENCE=7',
        'CARRYON_ATTEMPT=2',
        `PATH=${process.env['PATH']}`,
      ]),
    )
    expect(await read('where')).toBe(`${directory}\n`)
    expect(await read('arguments')).toBe('0\n')
  })

  test('that is not there accepts', async () => {
    const { transport } = await scene('pre-create', '#!/bin/sh\nexit 1\n')
    expect(await transport.invoke(aCall('pre-finish'), never())).toEqual({})
  })

  test('that is not executable is a clear failure', async () => {
    const { directory, transport } = await scene('pre-create', '#!/bin/sh\n')
    await chmod(join(directory, 'pre-create'), 0o644)
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error).toMatchObject({ code: 'setup', retry: 'later' })
    expect(error.message).toBe(`The hook ${join(directory, 'pre-create')} is not executable: chmod +x it`)
  })

  test('that is a directory is a clear failure', async () => {
    const { directory, transport } = await scene('pre-create', '#!/bin/sh\n')
    await mkdir(join(directory, 'post-create'))
    const error = await failure(transport.invoke(aCall('post-create'), never()))
    expect(error.message).toBe(`The hook ${join(directory, 'post-create')} is not a file`)
  })

  test('with an interpreter that is not there is a clear failure', async () => {
    const { transport } = await scene('pre-create', '#!/no/such/interpreter\n')
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error).toMatchObject({ code: 'setup', retry: 'later' })
    expect(error.message).toContain('#!/bin/sh')
  })

  test('may ignore what it is told, however much that is', async () => {
    const { transport } = await scene('pre-create', '#!/bin/sh\nexec <&-\necho \'{"RejectUpload":true}\'\n')
    const call = aCall('pre-create')
    const MetaData = { long: 'x'.repeat(1_000_000) }
    const event = { ...call.event, Upload: { ...call.event.Upload, MetaData } }
    expect(await transport.invoke({ ...call, event }, never())).toEqual({ RejectUpload: true })
  })

  test('is run without a shell: its directory may be called anything', async () => {
    const parent = await temporaryDirectory()
    const directory = join(parent, 'a b; touch $(id) "')
    await mkdir(directory)
    await writeFile(join(directory, 'pre-create'), '#!/bin/sh\necho \'{"RejectUpload":true}\'\n', {
      mode: 0o755,
    })
    const transport = execTransport({ directory })
    expect(await transport.invoke(aCall('pre-create'), never())).toEqual({ RejectUpload: true })
  })
})

describe('its end', () => {
  test('with another code than 0 is a failure, with what it said', async () => {
    const { transport } = await scene('pre-create', '#!/bin/sh\necho "{}"\necho "no\tdatabase" >&2\nexit 3\n')
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error).toMatchObject({ code: 'refused', retry: 'soon' })
    expect(error.message).toMatch(/exited with 3: no database$/)
  })

  test('has a bounded message', async () => {
    const script = '#!/bin/sh\nhead -c 3000000 /dev/zero | tr "\\0" x >&2\necho END >&2\nexit 1\n'
    const { transport } = await scene('pre-create', script)
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error.message.length).toBeLessThan(1000)
  })

  test('by a signal is a failure', async () => {
    const { transport } = await scene('post-finish', '#!/bin/sh\nkill -KILL $$\n')
    const error = await failure(transport.invoke(aCall('post-finish'), never()))
    expect(error.message).toMatch(/was ended by SIGKILL$/)
  })

  test('after much output does not matter where nobody looks at it', async () => {
    const { transport, read } = await scene(
      'post-finish',
      '#!/bin/sh\nhead -c 3000000 /dev/zero\necho yes > done\n',
    )
    expect(await transport.invoke(aCall('post-finish'), never())).toEqual({})
    expect(await read('done')).toBe('yes\n')
  })

  test('does not wait for what it has left in the background', async () => {
    const script = '#!/bin/sh\nsleep 600 &\necho $! > pid\necho \'{"RejectUpload":true}\'\n'
    const { transport, read } = await scene('pre-create', script, { timeoutMs: 10_000 })
    const startMs = Date.now()
    expect(await transport.invoke(aCall('pre-create'), never())).toEqual({ RejectUpload: true })
    expect(Date.now() - startMs).toBeLessThan(5000)
    const pid = Number(await read('pid'))
    expect(isAlive(pid)).toBe(true)
    process.kill(pid)
  })
})

describe('a file that takes too long', () => {
  test('is ended with all that it has started', async () => {
    const script = '#!/bin/sh\nsleep 600 &\necho $! > child\necho $$ > self\nwait\n'
    const { transport, read } = await scene('pre-create', script, { timeoutMs: 300 })
    const error = await failure(transport.invoke(aCall('pre-create'), never()))
    expect(error).toMatchObject({ code: 'timeout', retry: 'soon' })
    expect(isAlive(Number(await read('self')))).toBe(false)
    const child = Number(await read('child'))
    await until(() => !isAlive(child))
  })

  test('is ended the hard way when it does not listen', async () => {
    const script = '#!/bin/sh\ntrap "" TERM\necho $$ > self\nwhile :; do sleep 0.05; done\n'
    const { transport, read } = await scene('pre-create', script, { timeoutMs: 300 })
    expect(await failure(transport.invoke(aCall('pre-create'), never()))).toMatchObject({ code: 'timeout' })
    const self = Number(await read('self'))
    await until(() => !isAlive(self))
  })

  test('has its end waited for: nothing goes on beside its repetition', async () => {
    const script = '#!/bin/sh\ntrap "sleep 0.1; echo bye > said; exit 0" TERM\nwhile :; do sleep 0.02; done\n'
    const { transport, read } = await scene('pre-create', script, { timeoutMs: 200, killAfterMs: 3000 })
    expect(await failure(transport.invoke(aCall('pre-create'), never()))).toMatchObject({ code: 'timeout' })
    expect(await read('said')).toBe('bye\n')
  })
})

describe('many calls', () => {
  test('run as many at once as may be, the others wait', async () => {
    const script = '#!/bin/sh\necho "start" >> log\nsleep 0.1\necho "end" >> log\n'
    const { transport, read } = await scene('post-create', script, { maxProcesses: 2 })
    await Promise.all(Array.from({ length: 6 }, () => transport.invoke(aCall('post-create'), never())))
    let running = 0
    let most = 0
    for (const line of (await read('log')).trim().split('\n')) {
      running += line === 'start' ? 1 : -1
      most = Math.max(most, running)
    }
    expect(running).toBe(0)
    expect(most).toBe(2)
  })
})

describe('options', () => {
  test('a directory that is not there is refused at once', async () => {
    const directory = await temporaryDirectory()
    expect(() => execTransport({ directory: join(directory, 'none') })).toThrow(/is not a directory/)
    await writeFile(join(directory, 'file'), '')
    expect(() => execTransport({ directory: join(directory, 'file') })).toThrow(/is not a directory/)
  })

  test.each([{ timeoutMs: 0 }, { killAfterMs: -1 }, { maxProcesses: 0 }, { maxProcesses: 1.5 }])(
    '%j is refused',
    async (options) => {
      const directory = await temporaryDirectory()
      expect(() => execTransport({ directory, ...options })).toThrow(RangeError)
    },
  )
})
