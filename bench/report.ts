import type { Machine } from './machine.ts'
import { entrantName } from './runner.ts'
import type { Row, Verdict } from './summary.ts'

/** How the run was made: what a reader needs to judge the numbers. */
export interface Circumstances {
  machine: Machine
  rounds: number
  quick: boolean
  syncsCounted: boolean
}

interface Table {
  head: readonly string[]
  rows: readonly (readonly string[])[]
}

const none = '–'

function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(value >= 10 ? 1 : value >= 0.1 ? 2 : 3)
}

function ratio(value: number | undefined): string {
  return value === undefined ? none : `${value.toFixed(2)}x`
}

function mebibytes(bytes: number | undefined): string {
  return bytes === undefined ? none : String(Math.round(bytes / 1024 ** 2))
}

const metricNames = { throughput: 'throughput', cpu: 'CPU', wall: 'wall', memoryMiB: 'RSS', startMs: 'start' }

function verdictText({ goal, reached, ok }: Verdict): string {
  const unit = goal.metric === 'memoryMiB' ? ' MiB' : goal.metric === 'startMs' ? ' ms' : 'x'
  const shown = reached === undefined ? 'not measured' : `${number(reached)}${unit}`
  const verdict = reached === undefined ? '' : ok ? ' ok' : ' **below**'
  return `${metricNames[goal.metric]} ${goal.bound === 'at-least' ? '≥' : '≤'} ${goal.value}${unit}: ${shown}${verdict}`
}

function syncs(row: Row): string {
  const { syncsPerOperation: count, workload } = row
  if (count === undefined || workload.kind !== 'load') return none
  return `${count === 0 ? '0' : number(count)} / ${workload.operation}`
}

function ratioTable(rows: readonly Row[]): Table {
  const compared = rows.filter((row) => !row.isBaseline)
  return {
    head: ['workload', 'server', 'throughput', 'CPU', 'RSS', 'syncs', 'goals'],
    rows: compared.map((row) => [
      row.workload.title,
      entrantName(row.entrant),
      ratio(row.ratios.throughput),
      ratio(row.ratios.cpu),
      ratio(row.ratios.memory),
      syncs(row),
      row.failure === undefined
        ? row.verdicts.map(verdictText).join('; ') || none
        : `**failed**: ${row.failure}`,
    ]),
  }
}

function throughput({ workload, figures }: Row): string {
  if (figures === undefined || workload.kind === 'start') return none
  if (workload.unit === 'bytes') return `${number(figures.perSecond / 1024 ** 3)} GiB/s`
  return `${number(figures.perSecond)} ${workload.operation}/s`
}

function cpu({ workload, figures }: Row): string {
  if (figures?.cpuMsPerUnit === undefined) return none
  if (workload.kind === 'load' && workload.unit === 'bytes')
    return `${number(figures.cpuMsPerUnit / 1000)} s/GiB`
  return `${number(figures.cpuMsPerUnit)} ms`
}

function wall(row: Row): string {
  return row.figures === undefined ? none : `${number(row.figures.wallMs)} ms`
}

function rounds({ rounds: count, spread }: Row): string {
  return spread === undefined
    ? String(count)
    : `${count} (${Math.round(spread[0] * 100)}–${Math.round(spread[1] * 100)} %)`
}

function absoluteTable(rows: readonly Row[]): Table {
  return {
    head: [
      'workload',
      'server',
      'throughput',
      'CPU',
      'RSS MiB',
      'wall',
      'rounds (spread)',
      'content checked',
    ],
    rows: rows.map((row) => [
      row.workload.title,
      entrantName(row.entrant),
      throughput(row),
      cpu(row),
      mebibytes(row.figures?.peakMemoryBytes),
      wall(row),
      rounds(row),
      row.failure === undefined ? (row.verified ? 'yes' : none) : '**failed**',
    ]),
  }
}

// A workload's name stands once, on its first row.
function withoutRepeats(table: Table): Table {
  return {
    head: table.head,
    rows: table.rows.map((row, index) =>
      index > 0 && table.rows[index - 1]?.[0] === row[0] ? ['', ...row.slice(1)] : row,
    ),
  }
}

function markdownTable(table: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((each) => each.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')).join(' | ')} |`
  return [line(table.head), line(table.head.map(() => '---')), ...table.rows.map(line)].join('\n')
}

function terminalTable(table: Table): string {
  const rows = [table.head, ...table.rows].map((row) =>
    row.map((each) => each.replaceAll('**', '').replaceAll('\n', ' ')),
  )
  const widths = table.head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '))
  return lines.map((each) => each.trimEnd()).join('\n')
}

function notes({ machine, rounds: count, quick, syncsCounted }: Circumstances): string[] {
  const { date, cpu: model, cores, memoryGiB, kernel, node, fileSystem, loadBefore } = machine
  return [
    `Measured on ${date}: ${model}, ${cores} cores, ${memoryGiB} GiB, ${kernel}, Node ${node}, ${fileSystem}; load before the run ${loadBefore.toFixed(1)}.`,
    ...(quick ? ['A quick run: smaller sizes, so ratios and goals are only a hint.'] : []),
    ...(/tmpfs|ramfs/.test(fileSystem)
      ? ['The data lay in memory: syncs cost nothing here. Use --dir.']
      : []),
    `${count === 1 ? 'One round' : `Medians of ${count} interleaved rounds`} in random order; each sample on a new process, warmed, in a new directory. Treat less than 15 % as a tie.`,
    'Server CPU is user + system time of all threads, with the work put off until after the last answer; RSS is the peak during the load (at the start: when idle). Load generator and servers share the cores, which hides part of a lead in throughput.',
    syncsCounted
      ? 'Syncs are fsync and fdatasync calls in a run of its own under strace.'
      : 'Syncs: not counted (strace is missing, may not trace, or was switched off).',
  ]
}

const against =
  'Ratios against @tus/server with @tus/file-store, which syncs nothing; more than 1x throughput and less than 1x CPU or RSS is better than it. The checksum rows compare with the same server without a checksum.'

function compose(
  rows: readonly Row[],
  circumstances: Circumstances,
  render: (table: Table) => string,
): string {
  const tables = [ratioTable(rows), absoluteTable(rows)].filter((table) => table.rows.length > 0)
  const parts = [...notes(circumstances), against, ...tables.map((table) => render(withoutRepeats(table)))]
  return `${parts.join('\n\n')}\n`
}

/** The report for a terminal: ratios and goals first, absolute numbers second. */
export function terminalReport(rows: readonly Row[], circumstances: Circumstances): string {
  return compose(rows, circumstances, terminalTable)
}

/** The same report in Markdown. */
export function markdownReport(rows: readonly Row[], circumstances: Circumstances): string {
  return compose(rows, circumstances, markdownTable)
}
