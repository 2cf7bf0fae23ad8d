import { UploadError } from '../../core/errors.ts'
import { parseUploadId, type UploadId } from '../../core/upload-id.ts'

/** Reads columns of a row with their types checked. */
export class RowReader {
  readonly #row: object

  constructor(row: unknown) {
    if (typeof row !== 'object' || row === null) throw corrupt('row')
    this.#row = row
  }

  value(column: string): unknown {
    return Reflect.get(this.#row, column)
  }

  text(column: string): string {
    const value = this.value(column)
    if (typeof value !== 'string') throw corrupt(column)
    return value
  }

  maybeText(column: string): string | undefined {
    return this.value(column) === null ? undefined : this.text(column)
  }

  integer(column: string): number {
    const value = this.value(column)
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw corrupt(column)
    return value
  }

  maybeInteger(column: string): number | undefined {
    return this.value(column) === null ? undefined : this.integer(column)
  }

  object(column: string): object {
    const value = this.value(column)
    if (typeof value !== 'object' || value === null) throw corrupt(column)
    return value
  }

  maybeObject(column: string): object | undefined {
    return this.value(column) === undefined ? undefined : this.object(column)
  }

  id(column: string): UploadId {
    const id = parseUploadId(this.value(column))
    if (id === undefined) throw corrupt(column)
    return id
  }

  oneOf<const T extends string>(column: string, values: readonly T[]): T {
    const value = this.value(column)
    const found = values.find((candidate) => candidate === value)
    if (found === undefined) throw corrupt(column)
    return found
  }
}

function corrupt(column: string): UploadError {
  return new UploadError('ERR_CORRUPT_RECORD', {}, { cause: new Error(`column ${column} is malformed`) })
}
