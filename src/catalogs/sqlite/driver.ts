/** What a column can hold and a parameter can be. */
export type SqlValue = string | number | null | Uint8Array

export interface Statement {
  run(...parameters: SqlValue[]): { changes: number | bigint; lastInsertRowid: number | bigint }
  /** The first row, `undefined` when there is none. */
  get(...parameters: SqlValue[]): unknown
  all(...parameters: SqlValue[]): unknown[]
}

/** The part of `node:sqlite`'s `DatabaseSync` that is used here. */
export interface Database {
  exec(sql: string): void
  prepare(sql: string): Statement
  close(): void
}

export type OpenDatabase = (path: string) => Database

/**
 * Finds an SQLite that this runtime can load: the one in our dependencies, or the runtime's own.
 *
 * @throws {Error} when there is none; its `cause` says why ours could not be loaded.
 */
export async function loadDriver(): Promise<OpenDatabase> {
  const own = ['@photostructure/sqlite', nodeDriver] as const
  const builtIn = ['node:sqlite', nodeDriver] as const
  const bun = ['bun:sqlite', bunDriver] as const
  // A native addon may load and then crash where the runtime only imitates Node, so its own SQLite goes first.
  const order =
    'bun' in process.versions ? [bun] : 'deno' in process.versions ? [builtIn, own] : [own, builtIn]
  let cause: unknown
  for (const [name, driver] of order) {
    try {
      return driver(await importModule(name))
    } catch (error) {
      cause ??= error
    }
  }
  throw new Error('No SQLite could be loaded on this runtime.', { cause })
}

function importModule(name: string): Promise<unknown> {
  // Written out, so that tools which trace files for a deployment find it.
  return name === '@photostructure/sqlite' ? import('@photostructure/sqlite') : import(name)
}

type Constructor = new (path: string) => object

function member(module: unknown, name: string): Constructor {
  const value: unknown = typeof module === 'object' && module !== null ? Reflect.get(module, name) : undefined
  if (typeof value !== 'function') throw new Error(`The SQLite driver has no ${name}.`)
  return value as Constructor
}

function nodeDriver(module: unknown): OpenDatabase {
  const DatabaseSync = member(module, 'DatabaseSync') as new (path: string) => Database
  return (path) => new DatabaseSync(path)
}

function bunDriver(module: unknown): OpenDatabase {
  const BunDatabase = member(module, 'Database') as new (path: string) => Database
  return (path) => {
    const database = new BunDatabase(path)
    return {
      exec: (sql) => database.exec(sql),
      close: () => database.close(),
      prepare(sql) {
        const statement = database.prepare(sql)
        return {
          run: (...parameters) => statement.run(...parameters),
          // Bun answers null for "no row".
          get: (...parameters) => statement.get(...parameters) ?? undefined,
          all: (...parameters) => statement.all(...parameters),
        }
      },
    }
  }
}

/** Primary result codes that decide what happens next (https://sqlite.org/rescode.html). */
export const RESULT = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cantOpen: 14,
  notADatabase: 26,
} as const

/** The primary result code of an SQLite failure; `undefined` for any other error. */
export function resultCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const code: unknown = Reflect.get(error, 'errcode') ?? Reflect.get(error, 'errno')
  // Extended codes keep the primary one in the low byte.
  return typeof code === 'number' ? code & 0xff : undefined
}
