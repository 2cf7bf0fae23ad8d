import type { ExchangeRecord } from '../../client/exchange-log.ts'
import { oneLine } from '../one-line.ts'
import { displayName } from './display-name.ts'

/** The exchanges of one upload as lines for people; credentials were hidden before. */
export function exchangeLines(name: string, report: readonly ExchangeRecord[]): readonly string[] {
  return [`exchanges of ${displayName(name)}:`, ...report.flatMap(linesOf)]
}

function linesOf(record: ExchangeRecord): readonly string[] {
  const { startedAtMs, durationMs, method, url, sentBytes, status, error } = record
  const at = new Date(startedAtMs).toISOString().slice(11, 23)
  const end = status ?? error ?? 'no answer yet'
  const took = durationMs === undefined ? '' : ` in ${durationMs} ms`
  const sent = sentBytes === 0 ? '' : `, ${sentBytes} bytes sent`
  return [
    oneLine(`${at} ${method} ${url} → ${end}${took}${sent}`),
    ...fields('>', record.requestHeaders),
    ...fields('<', record.responseHeaders ?? {}),
  ]
}

function fields(mark: string, headers: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(headers).map(([name, value]) =>
    oneLine(`    ${mark} ${name}: ${value}`).replace(/^/, '    '),
  )
}
