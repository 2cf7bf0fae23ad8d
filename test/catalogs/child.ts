/* A process of its own with one SQLite catalog; does what its parent asks for by messages. */
import { existsSync } from 'node:fs'
import { sqliteCatalog } from '../../src/catalogs/sqlite/index.ts'
import { isUploadError } from '../../src/core/errors.ts'
import { insertSample } from '../../src/testing/catalog-contract/case.ts'
import type { Answer, Question } from './child-process.ts'

const [, , path = '', durability = 'power'] = process.argv

const catalog = await sqliteCatalog({ path, durability: durability === 'power' ? 'power' : 'process' })
const wanted: string[] = []
let fatal = 0
catalog.onWanted((id) => wanted.push(id))
catalog.onFatal(() => {
  fatal += 1
})

/** What can be asked beyond the catalog's own methods. */
const extras: Record<string, (...values: never[]) => unknown> = {
  writer: () => catalog.writer,
  wanted: () => wanted,
  fatal: () => fatal,
  /** Inserts `count` records at once, between two calls that a tracer of system calls can see. */
  async insertMany(count: number, offset: number) {
    existsSync('/carryon-marker-start')
    const records = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        insertSample(catalog, { id: numberedId(offset + index), placement: { where: index } }),
      ),
    )
    existsSync('/carryon-marker-end')
    return records.map(({ id }) => id)
  },
}

function numberedId(index: number): Awaited<ReturnType<typeof insertSample>>['id'] {
  return `numbered-${String(index).padStart(20, '0')}` as Awaited<ReturnType<typeof insertSample>>['id']
}

async function answer({ method, values }: Question): Promise<unknown> {
  const extra = extras[method]
  if (extra !== undefined) return extra(...(values as never[]))
  const [room, name] = method.startsWith('queues.') ? [catalog.queues, method.slice(7)] : [catalog, method]
  const own = Reflect.get(room, name) as (...values: unknown[]) => unknown
  return own.call(room, ...values)
}

process.on('message', (question: Question) => {
  const tell = (reply: Answer): void => void process.send?.(reply)
  answer(question).then(
    (value) => tell({ number: question.number, value }),
    (error: unknown) =>
      tell({ number: question.number, code: isUploadError(error) ? error.code : String(error) }),
  )
})
process.on('disconnect', () => process.exit())
process.send?.({ number: 0, value: 'ready' } satisfies Answer)
