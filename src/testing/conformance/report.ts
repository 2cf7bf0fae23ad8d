import type { CaseResult, ConformanceReport, Status } from './result.ts'

export interface FormatOptions {
  /** Use terminal colours. @default false */
  readonly colour?: boolean
}

type Paint = (code: number, text: string) => string

const marks: Record<Status, { readonly text: string; readonly colour: number }> = {
  passed: { text: 'pass', colour: 32 },
  failed: { text: 'FAIL', colour: 31 },
  warned: { text: 'warn', colour: 33 },
  'not-applicable': { text: 'n/a ', colour: 90 },
}

/** The report as a table for people, by section of the text, with each broken rule explained. */
export function formatReport(report: ConformanceReport, options: FormatOptions = {}): string {
  const paint: Paint = (code, text) => (options.colour === true ? `\u001b[${code}m${text}\u001b[0m` : text)
  const chapters = new Set(report.results.map(({ chapter }) => chapter))
  const sections = [...chapters].map((chapter) =>
    formatChapter(
      chapter,
      report.results.filter((result) => result.chapter === chapter),
      paint,
    ),
  )
  return [
    `tus 1.0 conformance of ${printable(report.url)}`,
    '',
    ...sections,
    formatTotals(report, paint),
    '',
  ].join('\n')
}

function formatChapter(chapter: string, results: readonly CaseResult[], paint: Paint): string {
  const width = Math.max(...results.map(({ id }) => id.length))
  const rows = results.map((result) => formatResult(result, width, paint))
  return [paint(1, chapter), ...rows, ''].join('\n')
}

function formatResult(result: CaseResult, width: number, paint: Paint): string {
  const { text, colour } = marks[result.status]
  const level = result.level.padEnd(8)
  const row = `  ${paint(colour, text)}  ${result.id.padEnd(width)}  ${paint(90, level)}  ${result.title}`
  const details = detailsOf(result).map((line) => `        ${line}`)
  return [row, ...details].join('\n')
}

function detailsOf({ status, message = '', evidence, section }: CaseResult): string[] {
  if (status === 'passed') return []
  if (status === 'not-applicable') return [`(${printable(message)})`]
  const exchange =
    evidence === undefined
      ? []
      : ['sent:', ...indented(evidence.sent), 'received:', ...indented(evidence.received)]
  return [printable(message), ...exchange, `see ${section}`]
}

function indented(text: string): string[] {
  return text.split('\n').map((line) => `  ${printable(line)}`)
}

/** A server's words must not steer the terminal they are printed on. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is replaced
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\u{fffd}')
}

function formatTotals({ totals, ok, strict, durationMs }: ConformanceReport, paint: Paint): string {
  const counts = `${totals.passed} passed, ${totals.failed} failed, ${totals.warned} warned, ${totals.notApplicable} not applicable`
  const verdict = ok ? paint(32, 'conforms') : paint(31, 'does not conform')
  return `${verdict}${strict ? ' (strict)' : ''}: ${counts} in ${(durationMs / 1000).toFixed(1)} s`
}
