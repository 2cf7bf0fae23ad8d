import { cleanFileName, isCleanText, joinName, splitExtension } from '../../core/safe-name.ts'
import type { UploadRecord } from '../../core/upload.ts'

const PLACEHOLDERS = new Set(['id', 'name', 'ext', 'date'])

export type FinalName = (record: Pick<UploadRecord, 'id' | 'metadata' | 'createdAtMs'>) => string

/**
 * Makes the namer for completed files out of a template.
 *
 * `{id}` the upload's id · `{name}` the client's file name with its ending, or the id · `{ext}` the ending of that
 * name without its dot, or nothing · `{date}` the day of creation, `YYYY-MM-DD` in UTC. The result is sanitised.
 *
 * @throws {TypeError} if the template is not one plain file name of such parts.
 */
export function finalName(template: string): FinalName {
  const parts = template.split(/(\{[^{}]*\})/)
  for (const part of parts) {
    const known = part.startsWith('{') && PLACEHOLDERS.has(part.slice(1, -1))
    if (!known && (/[{}]/.test(part) || !isCleanText(part))) {
      throw new TypeError(
        `The template for completed names holds ${JSON.stringify(part)}, which no file name may.`,
      )
    }
  }
  if (template === '' || template.startsWith('.') || template.includes('..')) {
    throw new TypeError('The template for completed names must be one plain file name.')
  }
  return (record) => {
    const name = clientName(record.metadata) ?? record.id
    const values: Record<string, string> = {
      '{id}': record.id,
      '{name}': name,
      '{ext}': splitExtension(name).ext.slice(1),
      '{date}': new Date(record.createdAtMs).toISOString().slice(0, 10),
    }
    return cleanFileName(parts.map((part) => values[part] ?? part).join('')) ?? record.id
  }
}

/** The name to try when the first `count - 1` are taken: `report (2).pdf`. */
export function numberedName(name: string, mark: number | string): string {
  if (mark === 1) return name
  const { base, ext } = splitExtension(name)
  return joinName(base, ` (${mark})${ext}`)
}

function clientName(metadata: Readonly<Record<string, string>>): string | undefined {
  for (const key of ['filename', 'name']) {
    const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined
    const name = value === undefined ? undefined : cleanFileName(value)
    if (name !== undefined) return name
  }
  return undefined
}
