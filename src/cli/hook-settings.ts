import { resolve } from 'node:path'
import type * as z from 'zod'
import type { FailurePolicy, HookTransport, HookType } from '../hooks/index.ts'
import { DEFAULT_HOOK_TYPES, HOOK_TYPES, isHookType } from '../hooks/hook-types.ts'
import type { RemoteHooks } from '../node/remote.ts'
import { troubleError } from './cli-error.ts'
import type { SettingType } from './setting-types.ts'
import { oneOf, path, readAs, text, wholeNumber } from './setting-types.ts'
import { optionalSetting, setting } from './settings.ts'
import { DURATION_RULE, parseDurationMs } from './units.ts'

/** Where hooks are and how they are called, checked. */
export interface HookConfig {
  readonly http: string | undefined
  readonly dir: string | undefined
  readonly grpc: string | undefined
  readonly types: readonly HookType[]
  readonly onFailure: FailurePolicy
  readonly timeoutMs: number
  readonly secrets: readonly string[]
  readonly forwardHeaders: readonly string[]
  readonly retries: number
  readonly backoffMs: number
}

const HOUR_MS = 3_600_000

const httpUrl = readAs('an http or https URL', (typed) => {
  const url = URL.canParse(typed) ? new URL(typed) : undefined
  return url !== undefined && /^https?:$/.test(url.protocol) ? typed : undefined
})

const hostAndPort = readAs('a host and a port such as localhost:9000', (typed) =>
  /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$/.test(typed) ? typed : undefined,
)

const types = readAs(`a list of ${HOOK_TYPES.join(', ')}`, (typed): readonly HookType[] | undefined => {
  const names = typed.split(',').map((name) => name.trim())
  const known = names.filter((name) => isHookType(name))
  return known.length === names.length ? known : undefined
})

const fieldNames = readAs('a list of header fields', (typed): readonly string[] | undefined => {
  const names = typed.split(',').map((name) => name.trim())
  return names.every((name) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) ? names : undefined
})

/** A time within bounds. */
function time(leastMs: number, mostMs: number, bounds: string): SettingType<number> {
  return readAs(`${DURATION_RULE}, ${bounds}`, (typed) => {
    const ms = parseDurationMs(typed)
    return ms === undefined || ms < leastMs || ms > mostMs ? undefined : ms
  })
}

const hooks = { group: 'Hooks:' }

type Optional<T> = z.ZodOptional<SettingType<T>>
type Defaulted<T> = z.ZodPrefault<SettingType<T>>

interface HookShape {
  readonly hooksHttp: Optional<string>
  readonly hooksDir: Optional<string>
  readonly hooksGrpc: Optional<string>
  readonly hooksEnabledEvents: Defaulted<readonly HookType[]>
  readonly hooksFailure: Defaulted<FailurePolicy>
  readonly hooksTimeout: Defaulted<number>
  readonly hooksHttpSecret: Optional<string>
  readonly hooksHttpForwardHeaders: Optional<readonly string[]>
  readonly hooksHttpRetry: Defaulted<number>
  readonly hooksHttpBackoff: Defaulted<number>
  readonly progressHooksInterval: Defaulted<number>
}

/** Settings of `serve` about hooks. */
export const hookShape: HookShape = {
  hooksHttp: optionalSetting(httpUrl, {
    ...hooks,
    placeholder: 'URL',
    description: 'POST hooks to this URL, as tusd does',
  }),
  hooksDir: optionalSetting(path, {
    ...hooks,
    placeholder: 'DIR',
    description: 'run the executable files of this directory as hooks, each named by its event',
  }),
  hooksGrpc: optionalSetting(hostAndPort, {
    ...hooks,
    placeholder: 'HOST:PORT',
    description: 'call hooks by gRPC; @grpc/grpc-js and @grpc/proto-loader have to be installed',
  }),
  hooksEnabledEvents: setting(types, {
    ...hooks,
    placeholder: 'LIST',
    default: DEFAULT_HOOK_TYPES.join(','),
    repeatable: true,
    description: `what hooks hear of, of ${HOOK_TYPES.join(', ')}`,
  }),
  hooksFailure: setting<FailurePolicy>(oneOf(['refuse', 'accept']), {
    ...hooks,
    placeholder: 'WHAT',
    default: 'refuse',
    description: 'what happens to a request when a hook that has to decide cannot be asked: refuse or accept',
  }),
  hooksTimeout: setting(time(1, HOUR_MS, 'at most 1h'), {
    ...hooks,
    placeholder: 'TIME',
    default: '15s',
    description: 'time for one call, its repetitions included',
  }),
  hooksHttpSecret: optionalSetting(text, {
    ...hooks,
    placeholder: 'SECRET',
    repeatable: true,
    description: 'sign calls by Standard Webhooks; better set by its variable: flags are seen by everybody',
  }),
  hooksHttpForwardHeaders: optionalSetting(fieldNames, {
    ...hooks,
    placeholder: 'LIST',
    repeatable: true,
    description: 'header fields of clients that are sent along',
  }),
  hooksHttpRetry: setting(wholeNumber(0, 100), {
    ...hooks,
    placeholder: 'N',
    default: '3',
    description: 'repetitions of a call that fails',
  }),
  hooksHttpBackoff: setting(time(1, HOUR_MS, 'at most 1h'), {
    ...hooks,
    placeholder: 'TIME',
    default: '1s',
    description: 'pause before the first repetition; it doubles',
  }),
  progressHooksInterval: setting(time(100, HOUR_MS, 'from 100ms to 1h'), {
    ...hooks,
    placeholder: 'TIME',
    default: '1s',
    description: 'how often progress is told',
  }),
}

type Given = { readonly [K in keyof HookShape]?: z.infer<HookShape[K]> } & {
  readonly [K in keyof HookShape as HookShape[K] extends Optional<unknown> ? never : K]: z.infer<HookShape[K]>
}

/** @returns `undefined` when there are no hooks. */
export function hookConfig(given: Given): HookConfig | undefined {
  const { hooksHttp, hooksDir, hooksGrpc } = given
  if (hooksHttp === undefined && hooksDir === undefined && hooksGrpc === undefined) return undefined
  return {
    http: hooksHttp,
    dir: hooksDir === undefined ? undefined : resolve(hooksDir),
    grpc: hooksGrpc,
    types: given.hooksEnabledEvents,
    onFailure: given.hooksFailure,
    timeoutMs: given.hooksTimeout,
    secrets: given.hooksHttpSecret?.split(',') ?? [],
    forwardHeaders: given.hooksHttpForwardHeaders ?? [],
    retries: given.hooksHttpRetry,
    backoffMs: given.hooksHttpBackoff,
  }
}

/**
 * Makes the transports that were asked for.
 *
 * @throws {CliError} with one sentence for what cannot be used here.
 */
export async function openHooks(config: HookConfig): Promise<RemoteHooks> {
  try {
    return await transportsOf(config)
  } catch (error) {
    throw troubleError(error instanceof Error ? error.message : String(error), error)
  }
}

async function transportsOf(config: HookConfig): Promise<RemoteHooks> {
  const { types: enabled, onFailure, timeoutMs, retries, backoffMs, forwardHeaders } = config
  const { httpTransport, execTransport, grpcTransport, isStorable } = await import('../hooks/index.ts')
  const tries = { timeoutMs, retries, backoffMs, forwardHeaders }
  const transports: HookTransport[] = []
  if (config.http !== undefined) {
    const signed = config.secrets.length === 0 ? {} : { secret: config.secrets }
    transports.push(httpTransport({ url: config.http, ...tries, ...signed }))
  }
  if (config.dir !== undefined) transports.push(execTransport({ directory: config.dir, timeoutMs }))
  if (config.grpc !== undefined) transports.push(await grpcTransport({ address: config.grpc, ...tries }))
  const keptHeaders = forwardHeaders.filter((name) => isStorable(name))
  return { transports, types: enabled, onFailure, timeoutMs, keptHeaders }
}
