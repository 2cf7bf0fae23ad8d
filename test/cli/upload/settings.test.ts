import { Command } from 'commander'
import { expect, test } from 'vitest'
import { CliError } from '../../../src/cli/cli-error.ts'
import { addSettings, readSettings, unknownVariables } from '../../../src/cli/settings.ts'
import { serveSettings } from '../../../src/cli/serve-settings.ts'
import type { UploadConfig } from '../../../src/cli/upload/settings.ts'
import { uploadSchema, uploadSettings } from '../../../src/cli/upload/settings.ts'

function read(args: readonly string[], env: NodeJS.ProcessEnv = {}): UploadConfig {
  const command = new Command('upload').exitOverride()
  addSettings(command, uploadSettings)
  command.parse(args, { from: 'user' })
  return readSettings(command, uploadSchema, uploadSettings, env)
}

function complaint(args: readonly string[], env?: NodeJS.ProcessEnv): string {
  try {
    read(args, env)
  } catch (error) {
    if (error instanceof CliError && error.exitCode === 2) return error.message
    throw error
  }
  throw new Error('no complaint')
}

test('without flags it resumes, four files at once, one part each', () => {
  expect(read([])).toMatchObject({
    parallel: 1,
    jobs: 4,
    state: undefined,
    verify: false,
    files: { recursive: true, symlinks: 'skip' },
    output: { json: false, quiet: false, progress: 'auto' },
    connection: { headers: {}, insecure: false, stallTimeoutMs: 30_000 },
  })
})

test('flags are read', () => {
  const args = [
    '--chunk-size',
    '8MiB',
    '--parallel',
    'auto',
    '-j',
    '8',
    '--limit-rate',
    '2MiB/s',
    '--json',
    '-q',
  ]
  expect(read([...args, '--no-resume', '--no-recursive', '--retries', '0'])).toMatchObject({
    chunkSizeBytes: 8 * 2 ** 20,
    parallel: 'auto',
    jobs: 8,
    maxBytesPerSecond: 2 * 2 ** 20,
    retries: 0,
    state: false,
    files: { recursive: false },
    output: { json: true, quiet: true },
  })
})

test('what may be repeated keeps commas, equals signs and newlines of the environment', () => {
  const { metadata, connection, files } = read(
    [
      '-m',
      'a=1,2',
      '-m',
      'b=x=y',
      '-m',
      'c=',
      '-H',
      'X-One: 1, 2',
      '--header',
      'x-two:3',
      '--exclude',
      '*.{a,b}',
    ],
    { CARRYON_EXCLUDE: 'never' },
  )
  expect(metadata).toEqual({ a: '1,2', b: 'x=y', c: '' })
  expect(connection.headers).toEqual({ 'X-One': '1, 2', 'x-two': '3' })
  expect(files.exclude).toEqual(['*.{a,b}'])
  expect(read([], { CARRYON_EXCLUDE: '*.tmp\n*.bak' }).files.exclude).toEqual(['*.tmp', '*.bak'])
})

test('a switch that is off by default can be set by the environment and taken back by its negative flag', () => {
  expect(read([], { CARRYON_JSON: 'true' }).output.json).toBe(true)
  expect(read(['--no-json'], { CARRYON_JSON: 'true' }).output.json).toBe(false)
})

test.each([
  [['--parallel', '0'], '--parallel must be auto or a whole number from 1 to 64, not "0"'],
  [['--jobs', '65'], '--jobs must be a whole number from 1 to 64, not "65"'],
  [
    ['--chunk-size', '8Mb'],
    '--chunk-size must be bytes or a size such as 500MB or 10GiB, at least 1, not "8Mb"',
  ],
  [
    ['--metadata', 'noequals'],
    '--metadata must be KEY=VALUE, the key in ASCII without space or comma, not "noequals"',
  ],
  [['--metadata', 'ä=1'], '--metadata must be KEY=VALUE, the key in ASCII without space or comma, not "ä=1"'],
  [['--header', 'x'], '--header must be "NAME: VALUE" in ASCII, not "x"'],
  [['--checksum', 'sha3'], '--checksum must be sha1, sha256, sha512, md5 or crc32, not "sha3"'],
  [['--proxy', 'socks5://x'], '--proxy must be the http or https URL of a proxy, or none, not "socks5://x"'],
  [['--max-time', '5'], '--max-time must be a duration such as 1500ms, 30s, 15m, 24h or 7d, not "5"'],
  [['--key', 'k.pem'], '--key needs --cert too'],
  [['--state', 'x', '--no-resume'], '--state and --no-resume exclude each other'],
])('%j is refused in one line', (args, message) => {
  expect(complaint(args)).toBe(message)
})

test('a variable is named in complaints about it', () => {
  expect(complaint([], { CARRYON_JOBS: 'x' })).toBe(
    'CARRYON_JOBS must be a whole number from 1 to 64, not "x"',
  )
})

test('variables of uploads are no misspelled variables of a server', () => {
  const known = { ...uploadSettings, ...serveSettings }
  expect(unknownVariables(known, { CARRYON_JOBS: '8', CARRYON_DIR: '.', CARRYON_DRI: '.' })).toEqual([
    'CARRYON_DRI',
  ])
})
