import type { Command } from 'commander'
import { Option } from 'commander'
import * as z from 'zod'
import { usageError } from './cli-error.ts'
import { quote } from './one-line.ts'
import type { SettingType } from './setting-types.ts'

/** What people are told about a setting. Its flag and its environment name come from its key in the schema. */
export interface About {
  /** Heading in the help. */
  readonly group: string
  readonly description: string
  /** Stands for the value: `--port PORT`. Absent: an on/off setting that is on, offered as `--no-…`. */
  readonly placeholder?: string
  /** Shown as the default where there is none that could be typed. */
  readonly defaultIs?: string
  /** May be given several times: the values are joined with commas. */
  readonly repeatable?: boolean
}

interface Registered extends About {
  readonly default?: string
}

/** One schema of text values: the flags, the environment names, the help and the checks are made from it. */
export type SettingsShape = Readonly<Record<string, z.ZodType<unknown, string | undefined>>>

interface Setting extends Registered {
  readonly key: string
  readonly flag: string
  readonly variable: string
}

/** Where a value comes from, in the words of the user: `--port` or `CARRYON_PORT`. */
interface Given {
  readonly text: string
  readonly source: string
}

const registry = z.registry<Registered>()
const PREFIX = 'CARRYON_'

/** A setting with a default, written as one would type it. */
export function setting<T>(
  type: SettingType<T>,
  about: About & { default: string },
): z.ZodPrefault<SettingType<T>> {
  return type.prefault(about.default).register(registry, about)
}

/** A setting that may be absent. */
export function optionalSetting<T>(type: SettingType<T>, about: About): z.ZodOptional<SettingType<T>> {
  return type.optional().register(registry, about)
}

/** Adds a flag for each setting to a command; the help tells default and environment name. */
export function addSettings(command: Command, shape: SettingsShape): void {
  for (const setting of settingsOf(shape)) {
    for (const option of optionsOf(setting)) command.addOption(option)
  }
}

/**
 * Reads the settings of a parsed command: flag, else environment, else default. An empty variable counts as absent.
 *
 * @throws {CliError} a usage error that names the flag or variable and what it allows.
 */
export function readSettings<T>(
  command: Command,
  schema: z.ZodType<T>,
  shape: SettingsShape,
  env: NodeJS.ProcessEnv,
): T {
  const given = new Map<string, Given>()
  for (const setting of settingsOf(shape)) {
    const found = fromFlag(command, setting) ?? fromEnvironment(env, setting)
    if (found !== undefined) given.set(setting.key, found)
  }
  const parsed = schema.safeParse(Object.fromEntries([...given].map(([key, { text }]) => [key, text])))
  if (parsed.success) return parsed.data
  throw usageError(complaint(parsed.error.issues[0], given))
}

/** Names in the environment that look like settings and are none: a limit that is misspelled is no limit. */
export function unknownVariables(shape: SettingsShape, env: NodeJS.ProcessEnv): readonly string[] {
  const known = new Set(settingsOf(shape).map(({ variable }) => variable))
  return Object.keys(env).filter(
    // Kubernetes sets CARRYON_SERVICE_… and CARRYON_PORT_… for a service named "carryon".
    (name) => name.startsWith(PREFIX) && !known.has(name) && !/^CARRYON_(?:SERVICE|PORT)_/.test(name),
  )
}

function settingsOf(shape: SettingsShape): readonly Setting[] {
  return Object.entries(shape).map(([key, type]) => {
    const about = registry.get(type)
    if (about === undefined) throw new TypeError(`the setting ${key} is not described`)
    const words = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    return { ...about, key, flag: words, variable: PREFIX + words.toUpperCase().replaceAll('-', '_') }
  })
}

function optionsOf(setting: Setting): readonly Option[] {
  const { flag, placeholder, group } = setting
  if (placeholder === undefined) {
    // The positive flag is there to win over the environment; it need not be explained to everybody. It stands
    // first: commander gives a negative flag that stands alone a default, which would hide the environment.
    const off = new Option(`--no-${flag}`, `${setting.description} (${setting.variable}=false)`).helpGroup(
      group,
    )
    return [new Option(`--${flag}`).hideHelp(), off]
  }
  const shown = setting.default ?? setting.defaultIs
  const facts = [...(shown === undefined ? [] : [`default: ${shown}`]), setting.variable].join('; ')
  const option = new Option(`--${flag} <${placeholder}>`, `${setting.description} (${facts})`).helpGroup(
    group,
  )
  if (setting.repeatable !== true) return [option]
  return [
    option.argParser((text, before: string | undefined) =>
      before === undefined ? text : `${before},${text}`,
    ),
  ]
}

function fromFlag(command: Command, { key, flag }: Setting): Given | undefined {
  const value: unknown = command.getOptionValue(key)
  if (typeof value === 'string') return { text: value, source: `--${flag}` }
  if (typeof value === 'boolean') return { text: String(value), source: value ? `--${flag}` : `--no-${flag}` }
  return undefined
}

function fromEnvironment(env: NodeJS.ProcessEnv, { variable }: Setting): Given | undefined {
  const text = env[variable]
  return text === undefined || text === '' ? undefined : { text, source: variable }
}

function complaint(issue: z.core.$ZodIssue | undefined, given: ReadonlyMap<string, Given>): string {
  const key = issue?.path[0]
  const source = typeof key === 'string' ? given.get(key) : undefined
  if (issue === undefined || source === undefined) return issue?.message ?? 'the settings are not valid'
  const others = issue.path.slice(1).flatMap((name) => given.get(String(name))?.source ?? [])
  if (others.length > 0) return `${source.source} and ${others.join(', ')} ${issue.message}`
  return `${source.source} ${issue.message}, not ${quote(source.text)}`
}
