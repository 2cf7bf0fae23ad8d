import { Command } from 'commander'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ServeConfig } from '../../src/cli/serve-settings.ts'
import { serveSchema, serveSettings } from '../../src/cli/serve-settings.ts'
import { addSettings, readSettings, unknownVariables } from '../../src/cli/settings.ts'

function configure(args: readonly string[], env: NodeJS.ProcessEnv = {}): ServeConfig {
  const command = new Command('serve').exitOverride()
  addSettings(command, serveSettings)
  command.parse(args, { from: 'user' })
  return readSettings(command, serveSchema, serveSettings, env)
}

describe('what serve does untold', () => {
  test('is what the help says', () => {
    expect(configure([])).toEqual({
      host: '127.0.0.1',
      port: 1080,
      logLevel: 'info',
      shutdownTimeoutMs: 10_000,
      hooks: undefined,
      events: undefined,
      metrics: undefined,
      uploads: {
        dir: resolve('uploads'),
        completedDir: resolve('uploads/completed'),
        completedName: '{id}',
        durability: 'power',
        path: '/files/',
        cors: { origins: '*' },
        termination: true,
        concatenation: true,
        methodOverride: true,
        maxSizeBytes: undefined,
        expireAfterMs: 86_400_000,
        checksumAlgorithms: ['sha1', 'sha256', 'sha512', 'md5', 'crc32'],
        pace: { idleTimeoutMs: 30_000 },
        maxAppendBytes: undefined,
        maxMetadataBytes: 4096,
        completeAfterMs: undefined,
        progressIntervalMs: 1000,
        health: {},
      },
    })
  })
})

describe('every flag', () => {
  test.each<[readonly string[], Partial<ServeConfig['uploads']>]>([
    [['--path', '/up/load'], { path: '/up/load/' }],
    [['--path', '/'], { path: '/' }],
    [['--dir', 'x'], { dir: resolve('x'), completedDir: resolve('x/completed') }],
    [['--completed-dir', '/done'], { completedDir: resolve('/done') }],
    [['--completed-dir', 'none'], { completedDir: false }],
    [['--completed-name', '{date}-{name}'], { completedName: '{date}-{name}' }],
    [['--durability', 'process'], { durability: 'process' }],
    [['--max-size', '10GiB'], { maxSizeBytes: 10 * 1024 ** 3 }],
    [['--max-size', '12'], { maxSizeBytes: 12 }],
    [['--max-size', 'none'], { maxSizeBytes: undefined }],
    [['--max-append-size', '8MiB'], { maxAppendBytes: 8 * 1024 ** 2 }],
    [['--max-metadata-size', '1KiB'], { maxMetadataBytes: 1024 }],
    [['--complete-after', '30d'], { completeAfterMs: 30 * 86_400_000 }],
    [['--progress-hooks-interval', '5s'], { progressIntervalMs: 5000 }],
    [['--no-health'], { health: false }],
    [['--behind-proxy'], { trustedProxies: ['loopback', 'linklocal', 'uniquelocal', 'unix'] }],
    [['--trusted-proxies', '10.0.0.0/8, ::1'], { trustedProxies: ['10.0.0.0/8', '::1'] }],
    [['--expire-after', '7d'], { expireAfterMs: 604_800_000 }],
    [['--expire-after', 'never'], { expireAfterMs: undefined }],
    [['--checksum-algorithms', 'none'], { checksumAlgorithms: [] }],
    [['--checksum-algorithms', 'md5, sha1'], { checksumAlgorithms: ['sha1', 'md5'] }],
    [
      ['--checksum-algorithms', 'crc32', '--checksum-algorithms', 'md5'],
      { checksumAlgorithms: ['md5', 'crc32'] },
    ],
    [['--public-url', 'https://files.example'], { publicUrl: 'https://files.example/files/' }],
    [['--public-url', 'https://files.example/'], { publicUrl: 'https://files.example/' }],
    [['--public-url', 'https://a.example/b/'], { publicUrl: 'https://a.example/b/' }],
    [['--no-cors'], { cors: false }],
    [['--cors-origin', '*'], { cors: { origins: '*' } }],
    [
      ['--cors-origin', 'https://A.example/', '--cors-origin', 'http://b.example:8080,capacitor://localhost'],
      { cors: { origins: ['https://a.example', 'http://b.example:8080', 'capacitor://localhost'] } },
    ],
    [['--no-download'], { download: false }],
    [['--no-termination'], { termination: false }],
    [['--no-concatenation'], { concatenation: false }],
    [['--no-method-override'], { methodOverride: false }],
    [['--idle-timeout', '1500ms'], { pace: { idleTimeoutMs: 1500 } }],
  ])('%j', (args, expected) => {
    expect(configure(args).uploads).toMatchObject(expected)
  })

  test('those of the process', () => {
    const args = ['--host', '[::1]', '--port', '0', '--log-level', 'debug', '--shutdown-timeout', '0s']
    expect(configure(args)).toMatchObject({ host: '::1', port: 0, logLevel: 'debug', shutdownTimeoutMs: 0 })
  })
})

describe('the environment', () => {
  test('sets what no flag sets', () => {
    const env = {
      CARRYON_PORT: '4000',
      CARRYON_MAX_SIZE: '1MB',
      CARRYON_CORS: 'false',
      CARRYON_DOWNLOAD: '0',
    }
    const { port, uploads } = configure([], env)
    expect(port).toBe(4000)
    expect(uploads).toMatchObject({ maxSizeBytes: 1_000_000, cors: false, download: false })
  })

  test('gives way to a flag, even when it is wrong', () => {
    expect(configure(['--port', '5000'], { CARRYON_PORT: 'tcp://10.0.0.1:1080' }).port).toBe(5000)
    expect(configure(['--download'], { CARRYON_DOWNLOAD: 'false' }).uploads.download).toBeUndefined()
  })

  test('counts as absent when empty', () => {
    expect(configure([], { CARRYON_PORT: '', CARRYON_MAX_SIZE: '' })).toEqual(configure([]))
  })

  test('names that are no settings are found, those of Kubernetes are not', () => {
    const env = {
      CARRYON_MAXSIZE: '1',
      CARRYON_PORT: '1',
      CARRYON_SERVICE_HOST: 'x',
      CARRYON_PORT_1080_TCP: 'x',
      PATH: 'x',
    }
    expect(unknownVariables(serveSettings, env)).toEqual(['CARRYON_MAXSIZE'])
  })
})

describe('a wrong value names where it stands and what is allowed', () => {
  test.each<[string, string]>([
    ['--port=abc', '--port must be a whole number from 0 to 65535, not "abc"'],
    ['--port=1e3', '--port must be a whole number from 0 to 65535, not "1e3"'],
    ['--port=65536', '--port must be a whole number from 0 to 65535, not "65536"'],
    ['--port=', '--port must be a whole number from 0 to 65535, not ""'],
    ['--host=', '--host must be some text, not ""'],
    ['--path=files', '--path must be a path such as /files/, not "files"'],
    ['--path=/../', '--path must be a path such as /files/, not "/../"'],
    ['--dir=', '--dir must be a path, not ""'],
    ['--completed-name=../x', '--completed-name must be a plain file name'],
    ['--completed-name={size}', '--completed-name must be a plain file name'],
    ['--durability=disk', '--durability must be power or process, not "disk"'],
    [
      '--max-size=10Gb',
      '--max-size must be bytes or a size such as 500MB or 10GiB, at least 1, or none, not "10Gb"',
    ],
    ['--max-size=0', '--max-size must be'],
    ['--max-size=-1', '--max-size must be'],
    ['--expire-after=24', '--expire-after must be a duration such as 1500ms, 30s, 15m, 24h or 7d'],
    ['--expire-after=0s', '--expire-after must be'],
    ['--expire-after=99999999d', '--expire-after must be'],
    ['--idle-timeout=0s', '--idle-timeout must be'],
    ['--idle-timeout=25h', '--idle-timeout must be'],
    ['--shutdown-timeout=2h', '--shutdown-timeout must be'],
    ['--checksum-algorithms=sha3', '--checksum-algorithms must be none or a list of sha1, sha256'],
    ['--checksum-algorithms=', '--checksum-algorithms must be'],
    ['--public-url=ftp://x', '--public-url must be an http or https URL'],
    ['--public-url=https://u:p@x/', '--public-url must be'],
    ['--public-url=https://x/?a=1', '--public-url must be'],
    ['--public-url=files', '--public-url must be'],
    ['--cors-origin=app.example.com', '--cors-origin must be * or origins such as https://app.example.com'],
    ['--cors-origin=https://a.example/path', '--cors-origin must be'],
    ['--cors-origin=', '--cors-origin must be'],
    ['--log-level=loud', '--log-level must be silent, fatal, error, warn, info or debug, not "loud"'],
  ])('%s', (arg, message) => {
    expect(() => configure([arg])).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringContaining(message) }),
    )
  })

  test('a variable by its own name', () => {
    expect(() => configure([], { CARRYON_MAX_SIZE: '10Gb' })).toThrow('CARRYON_MAX_SIZE must be bytes or')
    expect(() => configure([], { CARRYON_CORS: 'off!' })).toThrow(
      'CARRYON_CORS must be true or false, not "off!"',
    )
  })

  test('what does not go together is named together', () => {
    expect(() => configure(['--no-cors', '--cors-origin', '*'])).toThrow(
      '--no-cors and --cors-origin exclude each other',
    )
    expect(() => configure(['--cors-origin', '*'], { CARRYON_CORS: 'no' })).toThrow(
      'CARRYON_CORS and --cors-origin exclude each other',
    )
  })

  test('it is quoted in one short line, whatever it is', () => {
    const message = thrown(() => configure([`--port=\u001b[31m\r\n\0${'x'.repeat(1000)}`]))
    expect(message).toMatch(/^[^\p{Cc}]+$/u)
    expect(message.length).toBeLessThan(150)
  })
})

test('directories do not depend on each other being absolute', () => {
  const { uploads } = configure(['--dir', '/a', '--completed-dir', 'done'])
  expect(uploads.completedDir).toBe(join(process.cwd(), 'done'))
})

function thrown(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  throw new Error('nothing was thrown')
}

describe('hooks', () => {
  test('are off unless one is named', () => {
    expect(configure(['--hooks-timeout', '3s']).hooks).toBeUndefined()
  })

  test('of several kinds at once, with all that is said of them', () => {
    const flags = [
      '--hooks-http',
      'https://app.example/hooks',
      '--hooks-dir',
      'x',
      '--hooks-grpc',
      'localhost:9000',
    ]
    const details = [
      '--hooks-enabled-events=pre-create, post-finish',
      '--hooks-failure=accept',
      '--hooks-timeout=3s',
      '--hooks-http-secret=whsec_one',
      '--hooks-http-secret=two',
      '--hooks-http-forward-headers=Authorization,X-Request-ID',
      '--hooks-http-retry=0',
      '--hooks-http-backoff=50ms',
    ]
    expect(configure([...flags, ...details]).hooks).toEqual({
      http: 'https://app.example/hooks',
      dir: resolve('x'),
      grpc: 'localhost:9000',
      types: ['pre-create', 'post-finish'],
      onFailure: 'accept',
      timeoutMs: 3000,
      secrets: ['whsec_one', 'two'],
      forwardHeaders: ['Authorization', 'X-Request-ID'],
      retries: 0,
      backoffMs: 50,
    })
  })
})
