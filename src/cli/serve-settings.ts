import { resolve } from 'node:path'
import * as z from 'zod'
import type { Digests } from '../core/ports/digest.ts'
import { nodeDigests } from '../node/digests.ts'
import type { UploadsOptions } from '../node/index.ts'
import { makeTrust } from '../server/trust.ts'
import { completedDirectory } from './directories.ts'
import type { HookConfig } from './hook-settings.ts'
import { hookConfig, hookShape } from './hook-settings.ts'
import type { LogLevel } from './log.ts'
import { LOG_LEVELS } from './log.ts'
import { basePath, completedName, expireAfter } from './server-setting-types.ts'
import { oneOf, onOff, path, readAs, text, wholeNumber } from './setting-types.ts'
import type { SettingsShape } from './settings.ts'
import { optionalSetting, setting } from './settings.ts'
import { DURATION_RULE, parseDurationMs, parseSizeBytes, SIZE_RULE } from './units.ts'

/** Everything `carryon serve` can be told, checked. */
export interface ServeConfig {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly logLevel: LogLevel
  /** How long a stop may take. */
  readonly shutdownTimeoutMs: number
  readonly hooks: HookConfig | undefined
  /** Where the application's event stream is, and who may read it. */
  readonly events: { readonly path: string; readonly token: string } | undefined
  /** Prometheus metrics: where, and under which names. */
  readonly metrics: { readonly path: string; readonly names: 'own' | 'tusd' } | undefined
  /** For `openUploads`; directories are absolute. */
  readonly uploads: UploadsOptions & { readonly path: string; readonly completedDir: string | false }
}

const HOUR_MS = 3_600_000

const maxSize = readAs(`${SIZE_RULE}, at least 1, or none`, (typed) => {
  if (typed === 'none') return { bytes: undefined }
  const bytes = parseSizeBytes(typed)
  return bytes === undefined || bytes === 0 ? undefined : { bytes }
})

const metadataSize = readAs(`${SIZE_RULE}, at most 14KiB`, (typed) => {
  // Node takes 16 KiB of header in all.
  const bytes = parseSizeBytes(typed)
  return bytes === undefined || bytes > 14 * 1024 ? undefined : bytes
})

const idleTimeout = readAs(`${DURATION_RULE}, at most 24h`, (typed) => {
  const ms = parseDurationMs(typed)
  return ms === undefined || ms === 0 || ms > 24 * HOUR_MS ? undefined : ms
})

const shutdownTimeout = readAs(`${DURATION_RULE}, at most 1h`, (typed) => {
  const ms = parseDurationMs(typed)
  return ms === undefined || ms > HOUR_MS ? undefined : ms
})

const plainPath = readAs('a path such as /events', (typed) =>
  /^\/[A-Za-z0-9._~!$&'()*+,;=:@/-]*$/.test(typed) ? typed : undefined,
)

const checksumAlgorithms = readAs(
  `none or a list of ${nodeDigests.algorithms.join(', ')}`,
  (typed): Digests['algorithms'] | undefined => {
    if (typed === 'none') return []
    const names = typed.split(',').map((name) => name.trim())
    const known = nodeDigests.algorithms.filter((algorithm) => names.includes(algorithm))
    return names.every((name) => known.some((algorithm) => algorithm === name)) ? known : undefined
  },
)

const publicUrl = readAs('an http or https URL without query and fragment', (typed) => {
  const url = URL.canParse(typed) ? new URL(typed) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined
  return url.username !== '' || url.password !== '' || /[?#]/.test(typed) ? undefined : typed
})

const trustedProxies = readAs(
  'a list of addresses, CIDR ranges, loopback, linklocal, uniquelocal and unix',
  (typed): readonly string[] | undefined => {
    const entries = typed.split(',').map((entry) => entry.trim())
    try {
      makeTrust(entries)
      return entries
    } catch {
      return undefined
    }
  },
)

/** Where a proxy of one's own usually is: on this machine, or in its private network. */
const NEAR_PROXIES = ['loopback', 'linklocal', 'uniquelocal', 'unix']

const corsOrigins = readAs('* or origins such as https://app.example.com', (typed) => {
  const origins = typed.split(',').map((origin) => originOf(origin.trim()))
  if (origins.includes('*')) return '*'
  const valid = origins.filter((origin) => origin !== undefined)
  return valid.length === origins.length ? valid : undefined
})

/** An origin as browsers write it. Apps in a web view have schemes of their own (`capacitor://localhost`). */
function originOf(typed: string): string | undefined {
  if (typed === '*') return '*'
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/\s?#@]+\/?$/i.test(typed) || !URL.canParse(typed)) return undefined
  const { origin } = new URL(typed)
  return origin === 'null' ? typed.replace(/\/$/, '') : origin
}

const listening = { group: 'Listening:' }
const storage = { group: 'Storage:' }
const limits = { group: 'Limits:' }
const protocol = { group: 'Protocol:' }
const events = { group: 'Events:' }
const seeing = { group: 'Seeing:' }
const running = { group: 'Running:' }

const shape = {
  host: setting(text, {
    ...listening,
    placeholder: 'HOST',
    default: '127.0.0.1',
    description: 'address to listen on; 0.0.0.0: all of this machine',
  }),
  port: setting(wholeNumber(0, 65_535), {
    ...listening,
    placeholder: 'PORT',
    default: '1080',
    description: 'port to listen on; 0: any free one',
  }),
  path: setting(basePath, {
    ...listening,
    placeholder: 'PATH',
    default: '/files/',
    description: 'path to which uploads are sent',
  }),
  publicUrl: optionalSetting(publicUrl, {
    ...listening,
    placeholder: 'URL',
    defaultIs: 'as requested',
    description: 'what clients call the server by, behind a proxy; PATH is added if the URL has none',
  }),
  behindProxy: setting(onOff, {
    ...listening,
    default: 'false',
    description: `the same as --trusted-proxies ${NEAR_PROXIES.join(',')}`,
  }),
  trustedProxies: optionalSetting(trustedProxies, {
    ...listening,
    placeholder: 'LIST',
    defaultIs: 'none',
    repeatable: true,
    description:
      'proxies whose Forwarded and X-Forwarded-* are believed: addresses, CIDR ranges, loopback, …',
  }),
  corsOrigin: optionalSetting(corsOrigins, {
    ...listening,
    placeholder: 'ORIGIN',
    defaultIs: '*',
    repeatable: true,
    description: 'web origins that may upload; repeat it or separate by commas',
  }),
  cors: setting(onOff, { ...listening, default: 'true', description: 'send no CORS headers' }),

  dir: setting(path, {
    ...storage,
    placeholder: 'DIR',
    default: './uploads',
    description: 'directory of uploads and their records',
  }),
  completedDir: optionalSetting(path, {
    ...storage,
    placeholder: 'DIR',
    defaultIs: 'completed in --dir',
    description: 'directory of finished files; none: they stay where they are',
  }),
  completedName: setting(completedName, {
    ...storage,
    placeholder: 'NAME',
    default: '{id}',
    description: 'name of a finished file, of {id}, {name}, {ext}, {date}',
  }),
  durability: setting(oneOf(['power', 'process']), {
    ...storage,
    placeholder: 'KIND',
    default: 'power',
    description: 'what a confirmed byte survives: a power cut, or the end of the process',
  }),

  maxSize: setting(maxSize, {
    ...limits,
    placeholder: 'SIZE',
    default: 'none',
    description: 'largest upload, such as 10GiB, 500MB or plain bytes',
  }),
  expireAfter: setting(expireAfter, {
    ...limits,
    placeholder: 'TIME',
    default: '24h',
    description: 'remove unfinished uploads after this long without activity; never: keep them',
  }),
  completeAfter: setting(expireAfter, {
    ...limits,
    placeholder: 'TIME',
    default: 'never',
    description: 'remove finished uploads this long after their end',
  }),
  maxAppendSize: setting(maxSize, {
    ...limits,
    placeholder: 'SIZE',
    default: 'none',
    description: 'most that one request may bring',
  }),
  maxMetadataSize: setting(metadataSize, {
    ...limits,
    placeholder: 'SIZE',
    default: '4KiB',
    description: 'longest Upload-Metadata field',
  }),
  idleTimeout: setting(idleTimeout, {
    ...limits,
    placeholder: 'TIME',
    default: '30s',
    description: 'give up a request that brings no byte for this long',
  }),

  checksumAlgorithms: setting(checksumAlgorithms, {
    ...protocol,
    placeholder: 'LIST',
    default: nodeDigests.algorithms.join(','),
    repeatable: true,
    description: 'checksums to offer; none: no checksums',
  }),
  download: setting(onOff, { ...protocol, default: 'true', description: 'no downloads by GET' }),
  termination: setting(onOff, { ...protocol, default: 'true', description: 'no removal by DELETE' }),
  concatenation: setting(onOff, { ...protocol, default: 'true', description: 'no concatenation of uploads' }),
  methodOverride: setting(onOff, {
    ...protocol,
    default: 'true',
    description: 'ignore X-HTTP-Method-Override',
  }),

  ...hookShape,

  eventsPath: setting(plainPath, {
    ...events,
    placeholder: 'PATH',
    default: '/events',
    description: 'path of the stream of events for your own screens; only with a token',
  }),
  eventsToken: optionalSetting(text, {
    ...events,
    placeholder: 'TOKEN',
    description: 'whoever sends it as Authorization: Bearer may read the stream; better set by its variable',
  }),

  metricsPath: optionalSetting(plainPath, {
    ...seeing,
    placeholder: 'PATH',
    defaultIs: 'none',
    description: 'path of Prometheus metrics such as /metrics; close it to the world in your proxy',
  }),
  metricsNames: setting(oneOf(['own', 'tusd']), {
    ...seeing,
    placeholder: 'NAMES',
    default: 'own',
    description: "own; tusd: tusd's names too, for boards that know them",
  }),
  health: setting(onOff, { ...seeing, default: 'true', description: 'no /livez and /readyz' }),

  logLevel: setting(oneOf(LOG_LEVELS), {
    ...running,
    placeholder: 'LEVEL',
    default: 'info',
    description: `${LOG_LEVELS.join(', ')}; debug tells of every request`,
  }),
  shutdownTimeout: setting(shutdownTimeout, {
    ...running,
    placeholder: 'TIME',
    default: '10s',
    description: 'how long a stop may take',
  }),
}

/** The settings of `serve`, for flags and help. */
export const serveSettings: SettingsShape = shape

/** Text values of {@link serveSettings} to a checked configuration. */
export const serveSchema: z.ZodType<ServeConfig> = z
  .object(shape)
  .superRefine(({ cors, corsOrigin, behindProxy, trustedProxies }, context) => {
    const exclude = (...path: string[]): void =>
      context.addIssue({ code: 'custom', path, message: 'exclude each other' })
    if (!cors && corsOrigin !== undefined) exclude('cors', 'corsOrigin')
    if (behindProxy && trustedProxies !== undefined) exclude('behindProxy', 'trustedProxies')
  })
  .transform((given): ServeConfig => {
    const dir = resolve(given.dir)
    return {
      host: given.host.replace(/^\[(.*)\]$/, '$1'),
      port: given.port,
      logLevel: given.logLevel,
      shutdownTimeoutMs: given.shutdownTimeout,
      hooks: hookConfig(given),
      events:
        given.eventsToken === undefined ? undefined : { path: given.eventsPath, token: given.eventsToken },
      metrics:
        given.metricsPath === undefined ? undefined : { path: given.metricsPath, names: given.metricsNames },
      uploads: {
        dir,
        completedDir: completedDirectory(dir, given.completedDir),
        completedName: given.completedName,
        durability: given.durability,
        path: given.path,
        ...(given.publicUrl === undefined ? {} : { publicUrl: withPath(given.publicUrl, given.path) }),
        ...trustOf(given.trustedProxies ?? (given.behindProxy ? NEAR_PROXIES : undefined)),
        cors: given.cors ? { origins: given.corsOrigin ?? '*' } : false,
        ...(given.download ? {} : { download: false }),
        termination: given.termination,
        concatenation: given.concatenation,
        methodOverride: given.methodOverride,
        maxSizeBytes: given.maxSize.bytes,
        expireAfterMs: given.expireAfter.ms,
        checksumAlgorithms: given.checksumAlgorithms,
        pace: { idleTimeoutMs: given.idleTimeout },
        maxAppendBytes: given.maxAppendSize.bytes,
        maxMetadataBytes: given.maxMetadataSize,
        completeAfterMs: given.completeAfter.ms,
        progressIntervalMs: given.progressHooksInterval,
        health: given.health ? {} : false,
      },
    }
  })

function trustOf(entries: readonly string[] | undefined): Pick<UploadsOptions, 'trustedProxies'> {
  return entries === undefined ? {} : { trustedProxies: entries }
}

/** `https://files.example` names a host; `https://files.example/` says that uploads are at its root. */
function withPath(url: string, ownPath: string): string {
  return /^[a-z]+:\/\/[^/]+$/i.test(url) ? `${url}${ownPath}` : url
}
