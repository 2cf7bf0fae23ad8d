import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Argument } from 'commander'
import * as z from 'zod'
import { sqliteCatalog } from '../catalogs/sqlite/index.ts'
import type { QueueEntry, Queues } from '../core/ports/catalog.ts'
import { eventId } from '../core/ports/hooks.ts'
import { parseUploadId } from '../core/upload-id.ts'
import { parseDecimal } from '../protocol/integer.ts'
import { troubleError, usageError } from './cli-error.ts'
import { directorySetting } from './directories.ts'
import { describeError, oneLine, quote } from './one-line.ts'
import type { Declare } from './program.ts'
import { onOff, text } from './setting-types.ts'
import type { SettingsShape } from './settings.ts'
import { addSettings, optionalSetting, readSettings, setting } from './settings.ts'

const PAGE = 500
const group = 'Options:'

const shape = {
  dir: directorySetting(group),
  queue: optionalSetting(text, {
    group,
    placeholder: 'NAME',
    defaultIs: 'all',
    description: 'only of this queue: hooks:http, hooks:exec, hooks:grpc, claims',
  }),
  upload: optionalSetting(text, { group, placeholder: 'ID', description: 'only of this upload' }),
  dead: setting(onOff, { group, default: 'false', description: 'only what was given up' }),
  all: setting(onOff, { group, default: 'false', description: 'replay: everything that was given up' }),
  json: setting(onOff, { group, default: 'false', description: 'print JSON lines' }),
} satisfies SettingsShape

const settings: SettingsShape = shape

const schema = z.object(shape)

type Config = z.infer<typeof schema>

const EXPLANATION = `
list shows what has not been delivered yet, oldest first, with the reason of the
last failure. replay brings what was given up back, by its number or all of it:
the server delivers it again. A server may be running meanwhile.`

/** `carryon events list|replay`: events and claims that wait, and those that were given up. */
export const declare: Declare = (command, finish) => {
  command.description('Shows events that wait for their delivery, and brings back those that were given up.')
  command.addArgument(new Argument('<ACTION>', 'list or replay'))
  command.addArgument(new Argument('[NUMBER...]', 'replay: numbers as list shows them'))
  addSettings(command, settings)
  command.addHelpText('after', EXPLANATION)
  command.action(async (action: string, numbers: readonly string[]) => {
    const config = readSettings(command, schema, settings, process.env)
    if (action === 'list') {
      if (numbers.length > 0) throw usageError('list takes no numbers; narrow it down by --queue or --upload')
      finish(await withQueues(config.dir, (queues) => list(queues, config)))
    } else if (action === 'replay') {
      const sequences = sequencesOf(numbers)
      if ((sequences.length === 0) !== config.all)
        throw usageError('replay needs the numbers of events, or --all')
      finish(await withQueues(config.dir, (queues) => replay(queues, config, sequences)))
    } else {
      throw usageError(`the action must be list or replay, not ${quote(action)}`)
    }
  })
}

function sequencesOf(numbers: readonly string[]): readonly number[] {
  return numbers.map((number) => {
    const parsed = parseDecimal(number)
    if (!parsed.ok) throw usageError(`an event has a whole number, not ${quote(number)}`)
    return parsed.value
  })
}

async function withQueues<T>(dir: string, work: (queues: Queues) => Promise<T>): Promise<T> {
  const file = join(resolve(dir), 'carryon.db')
  if (!existsSync(file))
    throw troubleError(
      `there are no uploads in ${dir}; name the directory of the server with --dir`,
      undefined,
    )
  const catalog = await sqliteCatalog({ path: file }).catch((error: unknown) => {
    throw troubleError(`cannot open ${file}: ${describeError(error)}`, error)
  })
  try {
    return await work(catalog.queues)
  } finally {
    await catalog.close()
  }
}

async function list(queues: Queues, config: Config): Promise<0> {
  let count = 0
  for await (const entry of entriesOf(queues, config, config.dead ? true : undefined)) {
    count += 1
    process.stdout.write(`${config.json ? JSON.stringify(asObject(entry)) : asText(entry)}\n`)
  }
  if (count === 0 && !config.json) process.stderr.write('no events wait\n')
  return 0
}

async function replay(queues: Queues, config: Config, sequences: readonly number[]): Promise<0 | 1> {
  let count = 0
  if (config.all) {
    // Page by page, and read before it is changed: what was replayed is not listed as dead any more.
    for (;;) {
      const page = await queues.list({ ...filterOf(config), isDead: true, limit: PAGE })
      count += await queues.replay(page.map(({ sequence }) => sequence))
      if (page.length < PAGE) break
    }
  } else {
    count = await queues.replay(sequences)
  }
  const missed = config.all ? 0 : sequences.length - count
  if (config.json) process.stdout.write(`${JSON.stringify({ replayed: count })}\n`)
  else process.stdout.write(`brought back ${count === 1 ? '1 event' : `${count} events`}\n`)
  if (missed > 0)
    process.stderr.write(`carryon: ${missed} of these numbers are of no event that was given up\n`)
  return missed > 0 ? 1 : 0
}

async function* entriesOf(
  queues: Queues,
  config: Config,
  isDead: true | undefined,
): AsyncGenerator<QueueEntry> {
  for (let after: number | undefined; ;) {
    const page = await queues.list({ ...filterOf(config), isDead, after, limit: PAGE })
    yield* page
    if (page.length < PAGE) return
    after = page.at(-1)?.sequence
  }
}

function filterOf({ queue, upload }: Config): { queue?: string; uploadId?: QueueEntry['uploadId'] } {
  const uploadId = parseUploadId(upload)
  if (upload !== undefined && uploadId === undefined)
    throw usageError(`${quote(upload)} is the id of no upload`)
  return { ...(queue === undefined ? {} : { queue }), ...(uploadId === undefined ? {} : { uploadId }) }
}

function asObject(entry: QueueEntry): object {
  const { sequence, queue, uploadId, type, atMs, attempts, dueAtMs, isDead, lastError = null } = entry
  const id = eventId(uploadId, type)
  const [at, due] = [atMs, dueAtMs].map((ms) => new Date(ms).toISOString())
  return { sequence, id, queue, type, uploadId, at, attempts, due, isDead, lastError }
}

function asText({ sequence, queue, uploadId, type, atMs, attempts, isDead, lastError }: QueueEntry): string {
  const tries = attempts === 1 ? '1 attempt' : `${attempts} attempts`
  const state = isDead ? `given up after ${tries}` : attempts === 0 ? 'waits' : `waits after ${tries}`
  const reason = lastError === undefined ? '' : `: ${oneLine(lastError)}`
  return `${sequence}  ${new Date(atMs).toISOString()}  ${queue}  ${type}  ${uploadId}  ${state}${reason}`
}
