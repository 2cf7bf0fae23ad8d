import { parseIdentity, type ProcessIdentity, type Processes } from './processes.ts'
import type { ProcessRow } from './reader.ts'

/** Looks at an unchanged beat, one a second, after which a process counts as frozen. */
const MISSED_UNTIL_FROZEN = 3

/** Judges the other processes by their beats, counted by our own timer: no clock of anybody is compared. */
export class Heartbeats {
  readonly #processes: Processes
  readonly #identities = new Map<string, ProcessIdentity>()
  #seen = new Map<string, { beat: number; missed: number }>()

  constructor(processes: Processes) {
    this.#processes = processes
  }

  reset(): void {
    this.#seen.clear()
  }

  /** One look, a second after the last one. */
  judge(rows: readonly ProcessRow[], self: string): { dead: string[]; frozen: ProcessRow[] } {
    const seen = new Map<string, { beat: number; missed: number }>()
    const dead: string[] = []
    const frozen: ProcessRow[] = []
    for (const row of rows) {
      if (row.writer === self) continue
      if (this.isProvenDead(row)) {
        dead.push(row.writer)
        continue
      }
      const before = this.#seen.get(row.writer)
      const missed = before?.beat === row.beat ? before.missed + 1 : 0
      seen.set(row.writer, { beat: row.beat, missed })
      if (missed >= MISSED_UNTIL_FROZEN && row.expulsion === undefined) frozen.push(row)
    }
    this.#seen = seen
    return { dead, frozen }
  }

  isProvenDead(row: ProcessRow): boolean {
    let identity = this.#identities.get(row.writer)
    if (identity === undefined) {
      identity = parseIdentity(row.identity)
      this.#identities.set(row.writer, identity)
    }
    return this.#processes.isProvenDead(identity)
  }
}
