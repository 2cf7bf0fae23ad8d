import { InvalidArgumentError, Option } from 'commander'
import type { ConformanceReport } from '../testing/conformance/index.ts'
import { conformance, formatReport } from '../testing/conformance/index.ts'
import { usageError } from './cli-error.ts'
import type { Declare } from './program.ts'
import { DURATION_RULE, parseDurationMs } from './units.ts'

interface Options {
  readonly strict?: true
  readonly json?: true
  readonly only?: readonly string[]
  readonly timeout: number
  readonly header?: Readonly<Record<string, string>>
}

const LONGEST_TIMEOUT_MS = 3_600_000

const EXPLANATION = `
It makes small uploads on the server, and terminates them afterwards where the
server can do that. Exit code: 0 the server conforms, 1 it does not or cannot be
reached, 2 wrong usage.

Example: carryon conformance http://127.0.0.1:1080/files/`

/** `carryon conformance URL`: the black-box suite, against any server. */
export const declare: Declare = (command, finish) => {
  command
    .description('Checks a tus 1.0 server from outside, rule by rule.')
    .argument('<URL>', 'where uploads are created')
    .option('--strict', 'also fail on what the protocol only recommends or leaves open')
    .option('--json', 'print the report as JSON')
    .option('--only <IDS>', 'only these rules, such as T-P2,T-C*; repeat it or separate by commas', addIds)
    .addOption(
      new Option('--timeout <TIME>', 'time for one rule').default(10_000, '10s').argParser(readTimeout),
    )
    .option('--header <"NAME: VALUE">', 'header for every request; may be repeated', addHeader)
    .addHelpText('after', EXPLANATION)
    .action(async (url: string, options: Options) => {
      const report = await check(url, options)
      if (options.json === true) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`)
      else
        process.stdout.write(
          formatReport(report, { colour: process.stdout.isTTY && process.stdout.hasColors() }),
        )
      finish(report.ok ? 0 : 1)
    })
}

async function check(url: string, options: Options): Promise<ConformanceReport> {
  const progress = showProgress()
  try {
    return await conformance({
      url,
      strict: options.strict === true,
      timeoutMs: options.timeout,
      headers: options.header ?? {},
      onResult: progress.step,
      ...(options.only === undefined ? {} : { only: options.only }),
    })
  } catch (error) {
    // The suite throws these for what its caller asked; everything else is about the server.
    if (error instanceof TypeError) throw usageError(error.message)
    throw error
  } finally {
    progress.end()
  }
}

/** A count on the terminal, so that one sees it works; nothing in a file or a pipe. */
function showProgress(): { readonly step: () => void; readonly end: () => void } {
  if (!process.stderr.isTTY) return { step: () => undefined, end: () => undefined }
  let count = 0
  return {
    step() {
      count += 1
      process.stderr.write(`\r${count} rules checked`)
    },
    end: () => process.stderr.write('\r\u001b[K'),
  }
}

function readTimeout(text: string): number {
  const ms = parseDurationMs(text)
  if (ms !== undefined && ms > 0 && ms <= LONGEST_TIMEOUT_MS) return ms
  throw new InvalidArgumentError(`It must be ${DURATION_RULE}, at most 1h.`)
}

function addIds(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',').map((id) => id.trim())]
}

function addHeader(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [, name, value] = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\t\x20-\x7e]*)$/.exec(text) ?? []
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError('It must be "NAME: VALUE" in ASCII.')
  return { ...before, [name]: value }
}
