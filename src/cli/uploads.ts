import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import * as z from 'zod'
import type { StoredUpload, UrlStorage } from '../client/ports/url-storage.ts'
import { troubleError } from './cli-error.ts'
import { describeError } from './one-line.ts'
import type { Declare } from './program.ts'
import { onOff, path, text } from './setting-types.ts'
import type { SettingsShape } from './settings.ts'
import { addSettings, optionalSetting, readSettings, setting } from './settings.ts'
import { displayName } from './upload/display-name.ts'
import { openState, statePath } from './upload/state.ts'
import { uploadLines, uploadObject } from './upload/stored-text.ts'

const group = 'Options:'

const shape = {
  forget: optionalSetting(text, {
    group,
    placeholder: 'WHAT',
    repeatable: 'lines',
    description: 'forget the upload with this URL or file, or all; may be repeated',
  }),
  state: optionalSetting(path, {
    group,
    placeholder: 'PATH',
    defaultIs: '~/.local/state/carryon/uploads.db',
    description: 'file or directory in which unfinished uploads are remembered',
  }),
  json: setting(onOff, { group, default: 'false', description: 'print JSON lines' }),
} satisfies SettingsShape

const settings: SettingsShape = shape

const schema = z.object(shape)

const EXPLANATION = `
To go on with one, run the same "carryon upload" again. What is forgotten stays on
its server until it expires there; "carryon delete URL" removes it.`

/** `carryon uploads`: what can be resumed. */
export const declare: Declare = (command, finish) => {
  command.description('Shows the uploads that were interrupted and can go on.')
  addSettings(command, settings)
  command.addHelpText('after', EXPLANATION)
  command.action(async () => {
    const { forget, state, json } = readSettings(command, schema, settings, process.env)
    const file = statePath(state, process.env)
    const say = json ? jsonLines : textLines
    // A storage that is not there holds nothing, and is not made here.
    const found = existsSync(file)
      ? await withState(file, (storage) => look(storage, forget?.split('\n')))
      : { entries: [], missed: forget?.split('\n').filter((what) => what !== 'all') ?? [] }
    say(found.entries, forget !== undefined)
    for (const what of found.missed)
      process.stderr.write(`carryon: nothing is remembered of ${displayName(what)}\n`)
    finish(found.missed.length > 0 ? 1 : 0)
  })
}

interface Looked {
  readonly entries: readonly StoredUpload[]
  /** What was to be forgotten and is not there. */
  readonly missed: readonly string[]
}

async function look(storage: UrlStorage, forget: readonly string[] | undefined): Promise<Looked> {
  const all = await storage.list()
  if (forget === undefined) return { entries: all, missed: [] }
  const fits = (what: string, { url, path, key }: StoredUpload): boolean =>
    what === 'all' || what === url || what === key || resolve(what) === path
  const entries = all.filter((entry) => forget.some((what) => fits(what, entry)))
  for (const { key } of entries) await storage.remove(key)
  const missed = forget.filter((what) => what !== 'all' && !all.some((entry) => fits(what, entry)))
  return { entries, missed }
}

async function withState<T>(file: string, work: (storage: UrlStorage) => Promise<T>): Promise<T> {
  const storage = await openState(file)
  try {
    return await work(storage)
  } catch (error) {
    throw troubleError(
      `cannot read what is remembered in ${displayName(file)}: ${describeError(error)}`,
      error,
    )
  } finally {
    await storage.close?.()
  }
}

function textLines(entries: readonly StoredUpload[], isForgotten: boolean): void {
  if (entries.length === 0 && !isForgotten) process.stderr.write('there is nothing to go on with\n')
  for (const line of uploadLines(entries, isForgotten ? 'forgot ' : '')) process.stdout.write(`${line}\n`)
}

function jsonLines(entries: readonly StoredUpload[], isForgotten: boolean): void {
  for (const entry of entries) process.stdout.write(`${JSON.stringify(uploadObject(entry, isForgotten))}\n`)
}
