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
  /** Stands for the value: `--port PORT`. Absent: on or off; what is on by default is offered as `--no-…`. */
  readonly placeholder?: string
  /** A letter for a short form of the flag. */
  readonly short?: string
  /** Shown as the default where there is none that could be typed. */
  readonly defaultIs?: string
  /** May be given several times: the values are joined with commas, or with newlines where they may hold commas. */
  readonly repeatable?: boolean | 'lines'
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
  const { flag, placeholder, group, repeatable } = setting
  if (placeholder === undefined) return switchesOf(setting)
  const shown = setting.default ?? setting.defaultIs
  const facts = [...(shown === undefined ? [] : [`default: ${shown}`]), setting.variable].join('; ')
  const names = `${shortOf(setting)}--${flag} <${placeholder}>`
  const option = new Option(names, `${setting.description} (${facts})`).helpGroup(group)
  if (repeatable === undefined || repeatable === false) return [option]
  const separator = repeatable === 'lines' ? '\n' : ','
  return [
    option.argParser((text, before: string | undefined) =>
      before === undefined ? text : before + separator + text,
    ),
  ]
}

/**
 * Both flags of an on/off setting. The one that says what holds anyway is there to win over the environment; it need
 * not be explained to everybody. The positive one stands first: commander gives a negative flag that stands alone a
 * default, which would hide the environment.
 */
function switchesOf(setting: Setting): readonly Option[] {
  const { flag, group, variable } = setting
  const isOn = setting.default !== 'false'
  const description = `${setting.description} (${variable}=${String(!isOn)})`
  const on = new Option(`${shortOf(setting)}--${flag}`, description).helpGroup(group)
  const off = new Option(`--no-${flag}`, description).helpGroup(group)
  return isOn ? [on.hideHelp(), off] : [on, off.hideHelp()]
}

function shortOf({ short }: Setting): string {
  return short === undefined ? '' : `-${short}, `
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
  // A complaint about several settings says all in its message.
  if (issue.path.length > 1) {
    const sources = issue.path.flatMap((name) => given.get(String(name))?.source ?? [])
    return `${sources.join(' and ')} ${issue.message}`
  }
  return `${source.source} ${issue.message}, not ${quote(source.text)}`
}
