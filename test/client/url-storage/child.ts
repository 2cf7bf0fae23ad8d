/* A process of its own with one storage; does what its parent asks for by messages. */
import type { StoredUpload, UrlStorage } from '../../../src/client/ports/url-storage.ts'
import { fileUrlStorage } from '../../../src/client/url-storage/file.ts'
import { sqliteUrlStorage } from '../../../src/client/url-storage/sqlite.ts'

export interface Question {
  readonly number: number
  readonly method: string
  readonly values: readonly unknown[]
}

export type Answer =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly error: string }

const [, , kind = '', path = ''] = process.argv
const storage = kind === 'file' ? fileUrlStorage(path) : sqliteUrlStorage(path)
const rights = new Map<string, () => Promise<void>>()
let waits = 0

const methods: Record<string, (...values: never[]) => unknown> = {
  list: () => storage.list(),
  async putMany(entries: StoredUpload[]) {
    for (const entry of entries) await storage.put(entry)
  },
  /** Puts until it is killed and tells of each put that was answered. */
  async putForEver(entry: StoredUpload) {
    for (let round = 0; ; round += 1) {
      const key = `${entry.key}-${round}`
      await storage.put({ ...entry, key })
      process.send?.({ number: -1, value: key } satisfies Answer)
    }
  },
  lock: (name: string) => take(storage, name),
  waits: () => waits,
  release: (name: string) => rights.get(name)?.(),
  /** Takes the right, and while it has it counts itself in a file; answers how many were counted at most. */
  async turns(name: string, count: number) {
    for (let turn = 0; turn < count; turn += 1) {
      await take(storage, name)
      await count1(1)
      await count1(-1)
      await rights.get(name)?.()
    }
  },
}

async function take(from: UrlStorage, name: string): Promise<void> {
  const signal = new AbortController().signal
  const onWait = (): void => {
    waits += 1
  }
  const release = await from.lock?.(name, { signal, onWait })
  if (release !== undefined) rights.set(name, release)
}

/** Asks the parent to count, who sees all the children. */
function count1(by: number): Promise<void> {
  return new Promise((resolve) => {
    process.once('message', () => resolve())
    process.send?.({ number: -2, value: by } satisfies Answer)
  })
}

/** Nothing but the wait keeps this process alive. */
async function onlyWait(): Promise<void> {
  const signal = new AbortController().signal
  const release = await storage.lock?.('upload', { signal, onWait: () => console.log('waits') })
  console.log('has it')
  await release?.()
}

if (process.send === undefined) await onlyWait()
process.on('message', (question: Question) => {
  const method = methods[question.method]
  if (method === undefined) return
  const tell = (reply: Answer): void => void process.send?.(reply)
  Promise.resolve(method(...(question.values as never[]))).then(
    (value) => tell({ number: question.number, value }),
    (error: unknown) => tell({ number: question.number, error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
process.send?.({ number: 0, value: 'ready' } satisfies Answer)
