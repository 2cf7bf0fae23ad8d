import { resolve } from 'node:path'
import * as z from 'zod'
import { oneOf, onOff, path, readAs, wholeNumber } from '../setting-types.ts'
import type { SettingsShape } from '../settings.ts'
import { optionalSetting, setting } from '../settings.ts'
import { DURATION_RULE, parseDurationMs, parseSizeBytes, SIZE_RULE } from '../units.ts'
import type { ConnectionConfig } from './connection-settings.ts'
import { connectionOf, connectionShape, checkPair } from './connection-settings.ts'
import type { OutputConfig } from './output-settings.ts'
import { outputShape } from './output-settings.ts'

const CHECKSUMS = ['sha1', 'sha256', 'sha512', 'md5', 'crc32'] as const

/** Everything `carryon upload` can be told besides files and URL, checked. */
export interface UploadConfig {
  readonly connection: ConnectionConfig
  readonly chunkSizeBytes: number | undefined
  readonly parallel: number | 'auto'
  /** Files at once. */
  readonly jobs: number
  readonly checksum: (typeof CHECKSUMS)[number] | undefined
  readonly maxBytesPerSecond: number | undefined
  readonly deferLength: boolean
  readonly metadata: Readonly<Record<string, string>>
  /** Failures in a row, without a byte accepted between them, after which a file is given up. */
  readonly retries: number | undefined
  readonly maxTimeMs: number | undefined
  readonly verify: boolean
  readonly expectComplete: boolean
  /** Where unfinished uploads are remembered: a path as given, `undefined` for the usual place, `false` for nowhere. */
  readonly state: string | false | undefined
  readonly files: FilesConfig
  readonly output: OutputConfig
}

/** Which files. */
export interface FilesConfig {
  readonly recursive: boolean
  readonly symlinks: 'follow' | 'skip'
  readonly exclude: readonly string[]
  readonly fromFile: readonly string[]
  readonly randomBytes: number | undefined
  /** Size of standard input, or of another stream. */
  readonly lengthBytes: number | undefined
}

const size = readAs(SIZE_RULE, parseSizeBytes)
const sizeOfOne = readAs(`${SIZE_RULE}, at least 1`, (typed) => parseSizeBytes(typed) || undefined)
const rate = readAs(`bytes a second such as 500kB or 2MiB`, (typed) => {
  return parseSizeBytes(typed.replace(/\/s$/, '')) || undefined
})
const duration = readAs(DURATION_RULE, (typed) => parseDurationMs(typed) || undefined)

const parallel = readAs('auto or a whole number from 1 to 64', (typed): number | 'auto' | undefined => {
  if (typed === 'auto') return 'auto'
  const parts = /^[0-9]{1,2}$/.test(typed) ? Number(typed) : 0
  return parts >= 1 && parts <= 64 ? parts : undefined
})

// tus 1.0 §Upload-Metadata: no space and no comma in a key; ours come before the first equals sign.
const METADATA = /^([\x21-\x2b\x2d-\x3c\x3e-\x7e]+)=([^]*)$/

const metadata = readAs(
  'KEY=VALUE, the key in ASCII without space or comma',
  (typed): Readonly<Record<string, string>> | undefined => {
    const pairs = new Map<string, string>()
    for (const line of typed.split('\n')) {
      const [, key, value] = METADATA.exec(line) ?? []
      if (key === undefined || value === undefined) return undefined
      pairs.set(key, value)
    }
    return Object.fromEntries(pairs)
  },
)

const lines = readAs('some text', (typed): readonly string[] | undefined => {
  const found = typed.split('\n')
  return found.includes('') ? undefined : found
})

const files = { group: 'Files:' }
const transfer = { group: 'Transfer:' }
const patience = { group: 'Patience:' }
const resuming = { group: 'Resuming:' }

const shape = {
  recursive: setting(onOff, { ...files, default: 'true', description: 'refuse folders' }),
  symlinks: setting(oneOf(['skip', 'follow']), {
    ...files,
    placeholder: 'POLICY',
    default: 'skip',
    description: 'symbolic links inside folders: skip or follow; a link given by name is always followed',
  }),
  exclude: optionalSetting(lines, {
    ...files,
    placeholder: 'GLOB',
    repeatable: 'lines',
    description: 'leave out files and folders such as "*.tmp" or "raw/**"; may be repeated',
  }),
  fromFile: optionalSetting(lines, {
    ...files,
    placeholder: 'LIST',
    repeatable: 'lines',
    description: 'read paths from LIST, one a line or NUL after each; -: from standard input',
  }),
  random: optionalSetting(sizeOfOne, {
    ...files,
    placeholder: 'SIZE',
    description: 'upload this much random data, to try a server',
  }),
  length: optionalSetting(size, {
    ...files,
    placeholder: 'SIZE',
    description: 'size of standard input, where it is known',
  }),

  chunkSize: optionalSetting(sizeOfOne, {
    ...transfer,
    placeholder: 'SIZE',
    defaultIs: 'all in one',
    description: 'bytes in one request at most',
  }),
  parallel: setting(parallel, {
    ...transfer,
    placeholder: 'N',
    default: '1',
    description: 'parts of one file at once; auto: up to 4 for large files',
  }),
  jobs: setting(wholeNumber(1, 64), {
    ...transfer,
    short: 'j',
    placeholder: 'N',
    default: '4',
    description: 'files at once',
  }),
  checksum: optionalSetting(oneOf(CHECKSUMS), {
    ...transfer,
    placeholder: 'NAME',
    description: `checksum of each request: ${CHECKSUMS.join(', ')}`,
  }),
  verify: setting(onOff, {
    ...transfer,
    default: 'false',
    description: "compare the whole file with the server's digest, or with what it gives back",
  }),
  expectComplete: setting(onOff, {
    ...transfer,
    default: 'false',
    description: 'ask the server at the end whether it has every byte',
  }),
  metadata: optionalSetting(metadata, {
    ...transfer,
    short: 'm',
    placeholder: 'KEY=VALUE',
    repeatable: 'lines',
    description: 'metadata of every upload; may be repeated',
  }),
  limitRate: optionalSetting(rate, {
    ...transfer,
    placeholder: 'SIZE',
    description: 'bytes a second at most, all files together',
  }),
  deferLength: setting(onOff, {
    ...transfer,
    default: 'false',
    description: 'tell the server the length only at the end, even where it is known',
  }),

  retries: optionalSetting(wholeNumber(0, 1000), {
    ...patience,
    placeholder: 'N',
    defaultIs: '15 min without progress',
    description: 'give a file up after this many failures in a row',
  }),
  maxTime: optionalSetting(duration, {
    ...patience,
    placeholder: 'TIME',
    description: 'give up after this long in all',
  }),

  state: optionalSetting(path, {
    ...resuming,
    placeholder: 'PATH',
    defaultIs: '~/.local/state/carryon/uploads.db',
    description: 'file or directory in which unfinished uploads are remembered',
  }),
  resume: setting(onOff, { ...resuming, default: 'true', description: 'remember nothing, begin anew' }),

  ...outputShape,
  ...connectionShape,
} satisfies SettingsShape

/** The settings of `upload`, for flags, help and completion. */
export const uploadSettings: SettingsShape = shape

/** Text values of {@link uploadSettings} to a checked configuration. */
export const uploadSchema: z.ZodType<UploadConfig> = z
  .object(shape)
  .superRefine((given, context) => {
    const complain = (path: string[], message: string): void =>
      context.addIssue({ code: 'custom', path, message })
    if (given.state !== undefined && !given.resume) complain(['state', 'resume'], 'exclude each other')
    checkPair(given, context)
  })
  .transform((given): UploadConfig => ({
    connection: connectionOf(given),
    chunkSizeBytes: given.chunkSize,
    parallel: given.parallel,
    jobs: given.jobs,
    checksum: given.checksum,
    maxBytesPerSecond: given.limitRate,
    deferLength: given.deferLength,
    metadata: given.metadata ?? {},
    retries: given.retries,
    maxTimeMs: given.maxTime,
    verify: given.verify,
    expectComplete: given.expectComplete,
    state: given.resume && (given.state === undefined ? undefined : resolve(given.state)),
    files: {
      recursive: given.recursive,
      symlinks: given.symlinks,
      exclude: given.exclude ?? [],
      fromFile: given.fromFile ?? [],
      randomBytes: given.random,
      lengthBytes: given.length,
    },
    output: { json: given.json, quiet: given.quiet, progress: given.progress },
  }))
