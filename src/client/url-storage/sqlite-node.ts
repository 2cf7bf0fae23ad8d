/** The part of `node:sqlite`'s `DatabaseSync` that is used here; Bun's `Database` has it too. */
export interface Database {
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): void
}

interface Statement {
  run(...values: (string | number)[]): { readonly changes: number | bigint }
  all(...values: (string | number)[]): unknown[]
}

/** Prepares each statement once, and keeps it as long as its database. */
export function rememberingStatements(database: Database): Database {
  const known = new Map<string, Statement>()
  return {
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = known.get(sql) ?? database.prepare(sql)
      known.set(sql, statement)
      return statement
    },
    close() {
      known.clear()
      database.close()
    },
  }
}

const OWN = ['@photostructure/sqlite', 'DatabaseSync'] as const
const BUILT_IN = ['node:sqlite', 'DatabaseSync'] as const
const BUN = ['bun:sqlite', 'Database'] as const

/**
 * Finds an SQLite that this runtime can load.
 *
 * @throws {Error} when there is none; its `cause` says why ours could not be loaded.
 */
export async function loadSqlite(): Promise<(path: string) => Database> {
  // A native addon may load and then crash where the runtime only imitates Node, so its own SQLite goes first.
  const order =
    'bun' in process.versions ? [BUN] : 'deno' in process.versions ? [BUILT_IN, OWN] : [OWN, BUILT_IN]
  let cause: unknown
  for (const [module, name] of order) {
    try {
      const loaded = (await import(module)) as Record<string, unknown>
      const Constructor = loaded[name]
      if (typeof Constructor !== 'function') throw new Error(`${module} has no ${name}`)
      return (path) => new (Constructor as new (path: string) => Database)(path)
    } catch (error) {
      cause ??= error
    }
  }
  throw new Error('No SQLite could be loaded on this runtime.', { cause })
}
