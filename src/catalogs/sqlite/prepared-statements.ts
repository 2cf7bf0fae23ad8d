import type { Database, SqlValue, Statement } from './driver.ts'

/**
 * Statements, each prepared once, with the database they belong to: a database that is collected while its
 * statements live crashes the process, so one object holds both.
 */
export class PreparedStatements {
  readonly #database: Database
  readonly #prepared = new Map<string, Statement>()

  constructor(database: Database) {
    this.#database = database
  }

  exec(sql: string): void {
    this.#database.exec(sql)
  }

  /** @returns Whether it changed anything. */
  run(sql: string, ...parameters: SqlValue[]): boolean {
    return Number(this.statement(sql).run(...parameters).changes) > 0
  }

  get(sql: string, ...parameters: SqlValue[]): unknown {
    return this.statement(sql).get(...parameters)
  }

  all(sql: string, ...parameters: SqlValue[]): unknown[] {
    return this.statement(sql).all(...parameters)
  }

  statement(sql: string): Statement {
    const known = this.#prepared.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    this.#prepared.set(sql, statement)
    return statement
  }

  close(): void {
    this.#prepared.clear()
    this.#database.close()
  }
}
