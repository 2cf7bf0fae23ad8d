import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Circumstances } from './report.ts'
import type { WorkloadResult } from './sample.ts'
import type { Row } from './summary.ts'

const opening = '<!-- bench:start -->'
const closing = '<!-- bench:end -->'

function existing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return `# Performance\n\n${opening}\n${closing}\n`
  }
}

/** Puts the report between its two marks in a Markdown file; what stands around them is kept. */
export function writeMarkdown(path: string, report: string): void {
  const page = existing(path)
  const from = page.indexOf(opening)
  const to = page.indexOf(closing)
  const section = `${opening}\n\n${report}\n${closing}`
  const marked = from !== -1 && to > from
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(
    path,
    marked
      ? page.slice(0, from) + section + page.slice(to + closing.length)
      : `${page.trimEnd()}\n\n${section}\n`,
  )
}

/** Writes every sample and every summary, for comparison over time. */
export function writeJson(
  path: string,
  circumstances: Circumstances,
  measured: readonly { result: WorkloadResult; rows: readonly Row[] }[],
): void {
  const workloads = measured.map(({ result, rows }) => ({
    workload: result.workload.name,
    entrants: result.entrants.map(({ entrant, samples }, index) => {
      const { workload: _, entrant: __, ...summary } = rows[index] ?? {}
      return { server: entrant.server.name, variant: entrant.variant, ...summary, samples }
    }),
  }))
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify({ ...circumstances, workloads }, null, 2)}\n`)
}
