import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DatabaseSync } from '@photostructure/sqlite'
import { jsonLines, run, start, stopAll } from './command.ts'
import type { StagedPackage } from './staged-package.ts'
import { stagePackage, temporaryDirectory } from './staged-package.ts'

let carryon: StagedPackage
let dir: string

beforeAll(() => {
  carryon = stagePackage()
})
beforeEach(() => {
  dir = temporaryDirectory()
})
afterEach(async () => {
  await stopAll()
  rmSync(dir, { recursive: true, force: true })
})
afterAll(() => carryon.remove())

const CREATION = {
  'Tus-Resumable': '1.0.0',
  'Upload-Length': '5',
  'Content-Type': 'application/offset+octet-stream',
}

function serve(args: readonly string[], options?: Parameters<typeof start>[2]): ReturnType<typeof start> {
  return start(carryon.bin, ['serve', '--port', '0', '--dir', dir, ...args], options)
}

describe('a server that starts', () => {
  test('tells its real port, and what it prints can be used', async () => {
    const server = serve([])
    const line = await server.logged('listening')
    expect(line).toMatchObject({
      host: '127.0.0.1',
      dir,
      completedDir: join(dir, 'completed'),
      durability: 'power',
    })
    expect(line['url']).toBe(`http://127.0.0.1:${String(line['port'])}/files/`)
    const answer = await fetch(String(line['url']), { method: 'POST', headers: CREATION, body: 'hello' })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('Upload-Offset')).toBe('5')
    server.child.kill('SIGTERM')
    const { code, stdout, stderr } = await server.finished
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [file = ''] = readdirSync(join(dir, 'completed'))
    expect(readFileSync(join(dir, 'completed', file), 'utf8')).toBe('hello')
    // Whoever knows the URL of an upload may read it: it is not for a log that others keep.
    expect(stdout).not.toContain(file)
    expect(jsonLines(stdout).map((entry) => entry['msg'])).toEqual([
      'listening',
      expect.stringContaining('stopping'),
      'stopped',
    ])
  })

  test('obeys flags and environment', async () => {
    const env = { CARRYON_PATH: '/up/', CARRYON_MAX_SIZE: '1kB', CARRYON_TERMINATION: 'false' }
    const server = serve(['--max-size', '2kB', '--checksum-algorithms', 'none'], { env })
    const { url } = await server.logged('listening')
    expect(url).toMatch(/\/up\/$/)
    const answer = await fetch(String(url), { method: 'OPTIONS' })
    expect(answer.headers.get('Tus-Max-Size')).toBe('2000')
    expect(answer.headers.get('Tus-Checksum-Algorithm')).toBeNull()
    expect(answer.headers.get('Tus-Extension')?.split(',')).toEqual(
      expect.arrayContaining(['creation', 'expiration', 'concatenation']),
    )
    expect(answer.headers.get('Tus-Extension')).not.toMatch(/termination|checksum/)
  })

  test('tells of every request when asked to', async () => {
    const server = serve(['--log-level', 'debug'])
    const { url } = await server.logged('listening')
    await fetch(String(url), { method: 'OPTIONS' })
    expect(await server.logged('request')).toMatchObject({ method: 'OPTIONS', path: '/files/', status: 204 })
  })

  test('warns of a variable that is no setting, and of being open to others', async () => {
    const server = serve(['--host', '0.0.0.0'], { env: { CARRYON_MAXSIZE: '1' } })
    expect(await server.logged('listening')).toMatchObject({
      host: '0.0.0.0',
      url: expect.stringMatching(/^http:\/\/127\./),
    })
    expect(await server.logged('this environment variable is no setting of carryon serve')).toMatchObject({
      level: 'warn',
      variable: 'CARRYON_MAXSIZE',
    })
    const warning =
      'open to other machines: whoever reaches this address can upload, there is no authentication yet'
    expect(await server.logged(warning)).toMatchObject({ level: 'warn' })
  })

  test('shares a directory with another one', async () => {
    const [one, other] = [serve([]), serve([])]
    await one.logged('listening')
    const { url } = await other.logged('listening')
    const answer = await fetch(String(url), { method: 'POST', headers: CREATION, body: 'hello' })
    expect(answer.status).toBe(201)
  })
})

describe('a server that cannot start says why in one line', () => {
  async function trouble(args: readonly string[], options?: Parameters<typeof start>[2]): Promise<string> {
    const { code, stdout, stderr } = await run(
      carryon.bin,
      ['serve', '--port', '0', '--dir', dir, ...args],
      options,
    )
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^carryon: [^\p{Cc}]+\n$/u)
    return stderr
  }

  test('a port in use, and the directory is left alone', async () => {
    const other = createServer()
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const fresh = join(dir, 'fresh')
    expect(await trouble(['--port', String(port), '--dir', fresh])).toMatch(
      `port ${port} on 127.0.0.1 is in use; stop what uses it or choose another port with --port`,
    )
    expect(existsSync(fresh)).toBe(false)
    other.close()
  })

  test('an address of another machine', async () => {
    expect(await trouble(['--host', '192.0.2.1'])).toContain('192.0.2.1 is no address of this machine')
  })

  test('a directory that cannot be written', async () => {
    const message = await trouble([], { asNobody: true })
    expect(message).toContain(`cannot write ${dir} (EACCES)`)
  })

  test('a completed directory that cannot be written', async () => {
    const ours = join(dir, 'ours')
    mkdirSync(ours, { mode: 0o777 })
    const done = join(dir, 'done')
    mkdirSync(done, { mode: 0o555 })
    // The umask has taken the right of others to write.
    const options = { asNobody: true }
    expect(await trouble(['--dir', ours, '--completed-dir', done], options)).toMatch(/cannot write .*EACCES/)
  })

  test('a directory that is a file', async () => {
    const file = join(dir, 'file')
    writeFileSync(file, '')
    expect(await trouble(['--dir', file])).toContain(`${file} is not a directory`)
    expect(await trouble(['--completed-dir', join(file, 'below')])).toContain(`${file} is not a directory`)
  })

  test('a completed directory that is that of the uploads', async () => {
    expect(await trouble(['--completed-dir', join(dir, 'data')])).toContain('must be another one')
  })

  test('a directory of a newer version, which stays as it is', async () => {
    const server = serve([])
    await server.logged('listening')
    server.child.kill('SIGTERM')
    await server.finished
    const database = new DatabaseSync(join(dir, 'carryon.db'))
    database.exec('PRAGMA user_version = 99')
    database.close()
    const before = readFileSync(join(dir, 'carryon.db'))
    expect(await trouble([])).toMatch(
      /written by a newer version of Carryon \(schema 99.*; use that version, or/,
    )
    expect(readFileSync(join(dir, 'carryon.db')).equals(before)).toBe(true)
  })

  test('records that are no database', async () => {
    writeFileSync(join(dir, 'carryon.db'), 'not a database '.repeat(100))
    expect(await trouble([])).toContain(`the records in ${dir} (carryon.db) are damaged`)
  })
})
