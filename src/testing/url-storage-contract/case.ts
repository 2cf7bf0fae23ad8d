import type { StoredUpload, UrlStorage } from '../../client/ports/url-storage.ts'

/** A fresh storage and what surrounds it. */
export interface UrlStorageUnderTest {
  readonly storage: UrlStorage
  /** Another handle on the same content, as another process or tab has it. Absent: nobody else can ever take part. */
  readonly join?: (() => Promise<UrlStorage>) | undefined
  /** The process or tab of a joined handle ends without having given anything back. Absent: it cannot be played. */
  readonly kill?: ((storage: UrlStorage) => void | Promise<void>) | undefined
  /** Opens the same content again; handles made before are not used any more and were not necessarily closed. */
  readonly reopen?: (() => Promise<UrlStorage>) | undefined
  /** Stores this where an entry with this key belongs, as a broken program might. Absent: nobody can reach it. */
  readonly plant?: ((key: string, value: unknown) => Promise<void>) | undefined
  /** Closes every handle and removes what they stored. */
  dispose(): Promise<void>
}

export interface ContractCase {
  readonly name: string
  readonly run: (subject: UrlStorageUnderTest) => Promise<void>
}

/** Another handle where there can be one, else the same. */
export async function another({ storage, join }: UrlStorageUnderTest): Promise<UrlStorage> {
  return join === undefined ? storage : join()
}

let made = 0

/** An entry as it is when an upload begins; each with a key of its own. */
export function sampleEntry(overrides: Partial<StoredUpload> = {}): StoredUpload {
  made += 1
  return {
    key: `key-${made}`,
    fingerprint: 'fingerprint',
    endpoint: 'https://example.com/files/',
    url: `https://example.com/files/${made}`,
    sizeBytes: 1000,
    metadata: { filename: 'report.pdf' },
    createdAtMs: 1_700_000_000_000 + made,
    ...overrides,
  }
}

/** All that an entry can hold. */
export function fullEntry(overrides: Partial<StoredUpload> = {}): StoredUpload {
  return sampleEntry({
    expiresAtMs: FAR_AWAY_MS,
    path: '/home/somebody/report.pdf',
    parts: [
      { startBytes: 0, endBytes: 500, url: 'https://example.com/files/first' },
      { startBytes: 500, endBytes: 1000 },
    ],
    ...overrides,
  })
}

export const FAR_AWAY_MS: number = Date.UTC(2100, 0, 1)

export function check(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Error(message)
}

/** Compares what JSON says of two values, whatever the order of their fields. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const [is, due] = [canonical(actual), canonical(expected)]
  check(is === due, `${what}: got ${is.slice(0, 2000)}, where ${due.slice(0, 2000)} was due`)
}

export function sameEntries(
  actual: readonly StoredUpload[],
  expected: readonly StoredUpload[],
  what: string,
): void {
  check(
    actual.length === expected.length,
    `${what}: ${actual.length} entries, where ${expected.length} were due`,
  )
  same(actual, expected, what)
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>, what: string): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error(`${what}: resolved, where a rejection was due`)
    },
    (reason: unknown) => reason,
  )
}
