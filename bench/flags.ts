import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Durability, ServerKind } from './servers.ts'
import type { Workload } from './workloads/workload.ts'

export const usage: string = `Usage: npm run bench -- [flags]

  --rounds N              rounds of each workload (default 3; with --quick 1)
  --quick                 smaller sizes, one round: a look, not a measurement
  --only NAME,NAME        these workloads only
  --servers NAME,NAME     these servers only; "carryon" means each durability chosen
  --durability WHICH      power, process or both (default both)
  --no-syncs              do not count syncs under strace
  --dir DIR               where the servers store (default bench/results; needs a real disk)
  --json FILE             write every sample
  --markdown FILE         write the report between its marks in a Markdown file
  --list                  name the workloads and servers
  --help
`

export interface Flags {
  rounds: number
  quick: boolean
  workloads: readonly Workload[]
  servers: readonly ServerKind[]
  syncs: boolean
  directory: string
  json: string | undefined
  markdown: string | undefined
  action: 'run' | 'list' | 'help'
}

/** What the user asked for cannot be done; the message says what to change. */
export class UsageError extends Error {}

function named<T extends { name: string }>(all: readonly T[], names: string, what: string): T[] {
  return names.split(',').flatMap((name) => {
    const found = all.filter(
      (each) => each.name === name || (name === 'carryon' && each.name.startsWith('carryon-')),
    )
    if (found.length === 0) throw new UsageError(`no ${what} is called "${name}"; try --list`)
    return found
  })
}

function parseRounds(value: string | undefined, quick: boolean): number {
  if (value === undefined) return quick ? 1 : 3
  if (!/^[1-9]\d{0,2}$/.test(value)) throw new UsageError('--rounds wants a number from 1 to 999')
  return Number(value)
}

function parseDurability(value: string): readonly Durability[] {
  if (value === 'both') return ['power', 'process']
  if (value === 'power' || value === 'process') return [value]
  throw new UsageError('--durability is power, process or both')
}

function chooseServers(
  all: readonly ServerKind[],
  names: string | undefined,
  durability: string,
): readonly ServerKind[] {
  const durabilities = parseDurability(durability)
  const fitting = all.filter(
    (each) => each.durability === undefined || durabilities.includes(each.durability),
  )
  if (names !== undefined) return named(fitting, names, 'server')
  // A peer that is a program of its own takes part only where there is one.
  return fitting.filter((each) => each.role !== 'peer' || each.missing() === undefined)
}

const options = {
  rounds: { type: 'string' },
  quick: { type: 'boolean', default: false },
  only: { type: 'string' },
  servers: { type: 'string' },
  durability: { type: 'string', default: 'both' },
  'no-syncs': { type: 'boolean', default: false },
  dir: { type: 'string' },
  json: { type: 'string' },
  markdown: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** @throws {UsageError} for flags that make no sense. */
export function parseFlags(
  args: readonly string[],
  all: { workloads: readonly Workload[]; servers: readonly ServerKind[] },
): Flags {
  const values = parseOptions(args)
  return {
    rounds: parseRounds(values.rounds, values.quick),
    quick: values.quick,
    workloads: values.only === undefined ? all.workloads : named(all.workloads, values.only, 'workload'),
    servers: chooseServers(all.servers, values.servers, values.durability),
    syncs: !values['no-syncs'],
    directory: values.dir ?? fileURLToPath(new URL('results', import.meta.url)),
    json: values.json,
    markdown: values.markdown,
    action: values.help ? 'help' : values.list ? 'list' : 'run',
  }
}
