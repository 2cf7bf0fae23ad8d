import { describeError, isExpected, oneLine } from './one-line.ts'
import { outliveReader } from './reader.ts'

export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

type Write = (fields: Readonly<Record<string, unknown>>, message: string) => void

/** Where the server tells what happens: lines for people on a terminal, JSON lines otherwise. */
export interface Log {
  readonly fatal: Write
  readonly error: Write
  readonly warn: Write
  readonly info: Write
  readonly debug: Write
}

/** Opens the log on standard output. */
export async function openLog(level: LogLevel): Promise<Log> {
  return process.stdout.isTTY ? terminalLog(level) : jsonLog(level)
}

async function jsonLog(level: LogLevel): Promise<Log> {
  // Loaded here, because a terminal does not need it. Written from this thread: a transport would cost a worker.
  const { pino } = await import('pino')
  const log: Log = pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  })
  return log
}

function terminalLog(level: LogLevel): Log {
  const { stdout } = process
  // A terminal that has gone away is no reason to stop.
  outliveReader()
  const colours = stdout.hasColors()
  const writer = (name: Exclude<LogLevel, 'silent'>): Write => {
    if (LOG_LEVELS.indexOf(name) > LOG_LEVELS.indexOf(level)) return () => undefined
    return (fields, message) => stdout.write(`${terminalLine(name, fields, message, colours)}\n`)
  }
  return {
    fatal: writer('fatal'),
    error: writer('error'),
    warn: writer('warn'),
    info: writer('info'),
    debug: writer('debug'),
  }
}

const COLOURS: Readonly<Record<string, number>> = { fatal: 31, error: 31, warn: 33, info: 32, debug: 90 }

function terminalLine(
  level: string,
  { err, ...fields }: Readonly<Record<string, unknown>>,
  message: string,
  colours: boolean,
): string {
  const time = new Date().toTimeString().slice(0, 8)
  const mark = colours ? `\u001b[${COLOURS[level]}m${level}\u001b[0m` : level
  const facts = Object.entries(fields).map(([name, value]) => ` ${name}=${oneLine(String(value))}`)
  const cause = err === undefined ? '' : `: ${describeError(err)}`
  const stack = err instanceof Error && !isExpected(err) ? `\n${err.stack ?? ''}` : ''
  return `${time} ${mark}${' '.repeat(6 - level.length)}${oneLine(message)}${facts.join('')}${cause}${stack}`
}
