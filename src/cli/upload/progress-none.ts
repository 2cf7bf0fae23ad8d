import { displayName } from './display-name.ts'
import type { Display, Done, Streams } from './display.ts'
import { failureLine } from './failure.ts'

/** URLs and errors; notes unless quiet. */
export function quietDisplay({ stdout, stderr }: Streams, quiet: boolean): Display {
  return {
    open: () => undefined,
    started: () => undefined,
    moved: () => undefined,
    waits: () => undefined,
    note(text, file) {
      if (!quiet) stderr.write(noteLine(text, file?.name))
    },
    complete: (_file, done) => stdout.write(resultLine(done)),
    failed: ({ name, failure }) => stderr.write(`carryon: ${displayName(name)}: ${failureLine(failure)}\n`),
    close: () => undefined,
  }
}

/** What goes to standard output for a file. */
export function resultLine({ url, result = url }: Done): string {
  return result === '' ? '' : `${result}\n`
}

/** A note as one line. */
export function noteLine(text: string, name: string | undefined): string {
  return name === undefined ? `carryon: ${text}\n` : `carryon: ${displayName(name)}: ${text}\n`
}
