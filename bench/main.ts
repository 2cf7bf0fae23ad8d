import { mkdirSync } from 'node:fs'
import { killAll } from './children.ts'
import { freeBytes, openWorkspace } from './disk.ts'
import type { Workspace } from './disk.ts'
import { parseFlags, usage, UsageError } from './flags.ts'
import type { Flags } from './flags.ts'
import { startGenerator } from './generator/client.ts'
import { describeMachine } from './machine.ts'
import { writeJson, writeMarkdown } from './output.ts'
import { markdownReport, terminalReport } from './report.ts'
import { runWorkload } from './runner.ts'
import type { Runner } from './runner.ts'
import { servers } from './servers.ts'
import { summarise } from './summary.ts'
import { canCountSyncs } from './syncs.ts'
import { workloads } from './workloads/table.ts'

const neededBytes = 6 * 1024 ** 3

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Progress goes to the error stream, so that the report can be piped. */
function log(line: string): void {
  process.stderr.write(`${line}\n`)
}

function list(): void {
  print('workloads')
  for (const { name, title } of workloads) print(`  ${name.padEnd(20)} ${title}`)
  print('servers')
  for (const { name, label, missing } of servers) {
    const why = missing()
    print(`  ${name.padEnd(20)} ${label}${why === undefined ? '' : ` (${why})`}`)
  }
}

function checkPossible(flags: Flags): void {
  for (const { name, missing } of flags.servers) {
    const why = missing()
    if (why !== undefined) throw new UsageError(`${name}: ${why}`)
  }
  mkdirSync(flags.directory, { recursive: true })
  if (freeBytes(flags.directory) < neededBytes) {
    throw new UsageError(`${flags.directory} has less than 6 GiB free; choose another with --dir`)
  }
}

function cleanOnSignals(workspace: Workspace): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => {
      killAll()
      workspace.remove()
      process.exit(code)
    })
  }
  process.once('exit', killAll)
}

/** @returns the exit code: 1 when a server failed, never for a goal that was missed. */
async function run(flags: Flags): Promise<number> {
  checkPossible(flags)
  const machine = describeMachine(flags.directory)
  const workspace = openWorkspace(flags.directory)
  cleanOnSignals(workspace)
  const generator = startGenerator()
  const runner: Runner = {
    workspace,
    generator,
    rounds: flags.rounds,
    quick: flags.quick,
    countSyncs: flags.syncs && canCountSyncs(),
    log,
  }
  const measured = []
  try {
    for (const workload of flags.workloads) {
      const result = await runWorkload(runner, workload, flags.servers)
      measured.push({ result, rows: summarise(result) })
    }
  } finally {
    await generator.stop()
    workspace.remove()
  }
  const rows = measured.flatMap((each) => each.rows)
  const circumstances = {
    machine,
    rounds: flags.rounds,
    quick: flags.quick,
    syncsCounted: runner.countSyncs,
  }
  print(terminalReport(rows, circumstances))
  if (flags.markdown !== undefined) writeMarkdown(flags.markdown, markdownReport(rows, circumstances))
  if (flags.json !== undefined) writeJson(flags.json, circumstances, measured)
  return rows.some((row) => row.failure !== undefined) ? 1 : 0
}

async function main(): Promise<number> {
  const flags = parseFlags(process.argv.slice(2), { workloads, servers })
  if (flags.action === 'run') return run(flags)
  if (flags.action === 'help') print(usage)
  else list()
  return 0
}

try {
  process.exitCode = await main()
} catch (error) {
  const known = error instanceof UsageError
  log(known ? error.message : String(error instanceof Error ? error.stack : error))
  process.exitCode = 1
}
