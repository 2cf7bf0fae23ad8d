import type { StoredUpload } from '../ports/url-storage.ts'

const DAY_MS = 86_400_000
/** Servers move the end of an upload while bytes come in, and clocks differ: a lost entry costs more than one HEAD. */
const GRACE_MS = DAY_MS
const UNUSED_MS = 30 * DAY_MS

/** An entry as storages keep it: with the time of its last `put`. */
export interface Kept {
  readonly entry: StoredUpload
  readonly usedAtMs: number
}

/** The form in which an entry is stored: plain JSON. */
export function stored({ entry, usedAtMs }: Kept): Record<string, unknown> {
  return { ...entry, usedAtMs }
}

/** Reads an entry from JSON that anybody may have written; `undefined` when it is none. Fields of others are left out. */
export function parseStoredUpload(value: unknown): StoredUpload | undefined {
  if (!isObject(value)) return undefined
  const fields = Object.entries(CHECKS).map(([name, isValid]) => {
    const field = value[name]
    return { name, field, isValid: isValid(field) }
  })
  if (!fields.every(({ isValid }) => isValid)) return undefined
  const there = fields.filter(({ field }) => field !== undefined)
  return Object.fromEntries(there.map(({ name, field }) => [name, field])) as unknown as StoredUpload
}

type Check = (value: unknown) => boolean

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string'
const isTime = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0
const isCount = (value: unknown): value is number => isTime(value) && Number.isSafeInteger(value)
const isNoneOr =
  (isValid: Check): Check =>
  (value) =>
    value === undefined || isValid(value)
const isPart: Check = (value) =>
  isObject(value) &&
  isCount(value['startBytes']) &&
  isCount(value['endBytes']) &&
  value['endBytes'] >= value['startBytes'] &&
  isNoneOr(isText)(value['url'])

const CHECKS: Readonly<Record<keyof StoredUpload, Check>> = {
  key: (value) => isText(value) && value !== '',
  fingerprint: isText,
  endpoint: isText,
  url: isNoneOr(isText),
  sizeBytes: isNoneOr(isCount),
  metadata: (value) => isObject(value) && Object.values(value).every(isText),
  createdAtMs: isTime,
  expiresAtMs: isNoneOr(isTime),
  parts: isNoneOr((value) => Array.isArray(value) && value.every(isPart)),
  path: isNoneOr(isText),
}

export interface Sifting {
  readonly nowMs: number
  /** More than these are dropped, those unused for longest first. @default no limit */
  readonly maxEntries?: number | undefined
}

export interface Sifted {
  /** Newest first; equal times in an order that does not change. */
  readonly kept: readonly Kept[]
  /** Their keys. */
  readonly dropped: readonly string[]
}

/**
 * Sorts what a storage holds: entries to show, newest first, and the keys of those it may let go. An entry goes a day
 * after the server's `Upload-Expires`, or 30 days after its last `put` where the server named no end. What is damaged
 * is in neither list: it may belong to somebody else.
 */
export function sift(values: Iterable<unknown>, { nowMs, maxEntries = Infinity }: Sifting): Sifted {
  const all: Kept[] = []
  for (const value of values) {
    const entry = parseStoredUpload(value)
    if (!entry) continue
    const { usedAtMs } = value as { usedAtMs?: unknown }
    all.push({ entry, usedAtMs: isTime(usedAtMs) ? usedAtMs : entry.createdAtMs })
  }
  all.sort((a, b) => b.usedAtMs - a.usedAtMs)
  const kept: Kept[] = []
  const dropped: string[] = []
  for (const one of all) {
    const { key, expiresAtMs } = one.entry
    const endMs = expiresAtMs === undefined ? one.usedAtMs + UNUSED_MS : expiresAtMs + GRACE_MS
    if (kept.length < maxEntries && nowMs < endMs) kept.push(one)
    else dropped.push(key)
  }
  kept.sort(({ entry: a }, { entry: b }) => b.createdAtMs - a.createdAtMs || (a.key < b.key ? 1 : -1))
  return { kept, dropped }
}

/** The entries to show, of one fingerprint or all. */
export function shown({ kept }: Sifted, fingerprint?: string): StoredUpload[] {
  const entries = kept.map(({ entry }) => entry)
  return fingerprint === undefined ? entries : entries.filter((entry) => entry.fingerprint === fingerprint)
}
