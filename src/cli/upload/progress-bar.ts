import { Writable } from 'node:stream'
import { MultiBar } from 'cli-progress'
import { barLine, totalLine } from './bar-line.ts'
import type { Board, FileProgress } from './board.ts'
import { displayName } from './display-name.ts'
import type { Display, Streams, TerminalSink } from './display.ts'
import { failureLine } from './failure.ts'
import { noteLine, resultLine } from './progress-none.ts'
import { doneWords } from './progress-text.ts'

type Bar = ReturnType<MultiBar['create']>

const SYNC_MS = 100
/** A file that is through sooner gets no bar: thousands of small ones would only flicker. */
const BAR_AFTER_MS = 300
const CLEAR_LINE = '\u001b[2K'

/** A bar for each file on its way and one for all of them; finished files are lines above. */
export function barDisplay(streams: Streams): Display {
  const screen = new Screen(streams)
  return {
    open: (board) => screen.open(board),
    started: () => undefined,
    moved: () => undefined,
    // The bar of the file says it.
    waits: () => undefined,
    note: (text, file) => screen.print(noteLine(text, file?.name)),
    complete(file, done) {
      screen.print(`✓ ${displayName(file.name)}  ${doneWords(done.bytes, done.seconds, file.resumedBytes)}\n`)
      screen.printResult(resultLine(done))
    },
    failed: ({ name, failure }) => screen.print(`✗ ${displayName(name)}: ${failureLine(failure)}\n`),
    close({ files, complete, bytes, seconds }) {
      screen.close()
      if (files > 1) streams.stderr.write(`${complete} of ${files} files, ${doneWords(bytes, seconds)}\n`)
    },
  }
}

/** Bars at the bottom, lines above them. */
class Screen {
  readonly #streams: Streams
  readonly #multi: MultiBar
  #bars: Bar[] = []
  #lines: { readonly text: string; readonly to: TerminalSink }[] = []
  #stop: () => void = () => undefined

  constructor(streams: Streams) {
    this.#streams = streams
    this.#multi = new MultiBar({
      stream: terminalStream(streams.stderr),
      format: (_options, _params, { line }: { line: string }) => line,
      // A line moves when others come or go above it.
      forceRedraw: true,
      clearOnComplete: true,
      // Nothing about the terminal is changed: after kill -9 nobody would change it back.
      linewrap: true,
      hideCursor: false,
      gracefulExit: false,
    })
    this.#multi.on('redraw-pre', () => this.#flush(CLEAR_LINE))
  }

  open(board: Board): void {
    const tick = (): void => {
      this.#sync(board)
      this.#stop = board.clock.after(SYNC_MS, tick)
    }
    this.#stop = board.clock.after(SYNC_MS, tick)
  }

  /** A line on standard error. */
  print(text: string): void {
    this.#push(text, this.#streams.stderr)
  }

  /** A line on standard output: above the bars if that is the same terminal, else at once. */
  printResult(text: string): void {
    const { stdout } = this.#streams
    if (stdout.isTTY === true) this.#push(text, stdout)
    else stdout.write(text)
  }

  close(): void {
    this.#stop()
    if (!this.#multi.isActive) return
    this.#multi.update()
    this.#multi.stop()
  }

  #push(text: string, to: TerminalSink): void {
    this.#lines.push({ text, to })
    // Once there were bars, the cursor is theirs: lines come with their next drawing.
    if (!this.#multi.isActive) this.#flush('')
  }

  #flush(before: string): void {
    const lines = this.#lines
    this.#lines = []
    for (const { text, to } of lines) to.write(before + text)
  }

  #sync(board: Board): void {
    const { columns = 80, rows = 24 } = this.#streams.stderr
    const nowMs = board.clock.nowMs()
    const shown = [...board.active].filter(({ startedMs }) => nowMs - startedMs >= BAR_AFTER_MS)
    const { total } = board
    const lines = shown.slice(0, Math.max(1, rows - 2)).map((file) => this.#lineOf(file, columns))
    if (total.files > 1 && lines.length > 0) lines.push(totalLine(total, columns))
    while (this.#bars.length > lines.length) {
      const bar = this.#bars.pop()
      if (bar !== undefined) this.#multi.remove(bar)
    }
    for (const [index, line] of lines.entries()) {
      const bar = this.#bars[index]
      if (bar === undefined) this.#bars.push(this.#multi.create(1, 0, { line }))
      else bar.update({ line })
    }
  }

  #lineOf(file: FileProgress, columns: number): string {
    return barLine(displayName(file.name), file, columns)
  }
}

/** What cli-progress wants: a stream that says it is a terminal. */
function terminalStream(sink: TerminalSink): NodeJS.WritableStream {
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      sink.write(String(chunk))
      done()
    },
  })
  return Object.defineProperties(stream, {
    isTTY: { value: true },
    columns: { get: () => sink.columns },
  })
}
