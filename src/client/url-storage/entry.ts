import { kindOf } from '../kind-of.ts'
import type { StoredUpload } from '../ports/url-storage.ts'

const DAY_MS = 86_400_000
/** Servers move the end of an upload while bytes come in, and clocks differ: a lost entry costs more than one HEAD. */
const GRACE_MS = DAY_MS
const UNUSED_MS = 30 * DAY_MS

/** An entry as storages keep it, plain JSON: with the time of its last `put`. */
export interface Kept extends StoredUpload {
  readonly usedAtMs?: number | undefined
}

/** Whether this is an entry: anybody may have written it. */
export function isEntry(value: unknown): value is Kept {
  const { key, fingerprint, endpoint, url = '', path = '', metadata, parts = [], ...rest } = Object(value)
  const { sizeBytes = 0, createdAtMs, expiresAtMs = 0, usedAtMs = 0 } = rest
  return (
    key !== '' &&
    [key, fingerprint, endpoint, url, path].every(isText) &&
    [createdAtMs, expiresAtMs, usedAtMs].every(isTime) &&
    isCount(sizeBytes) &&
    kindOf(metadata) === 'Object' &&
    Object.values(metadata).every(isText) &&
    Array.isArray(parts) &&
    parts.every(isPart)
  )
}

function isPart(value: unknown): boolean {
  const { startBytes, endBytes, url = '' } = Object(value)
  return [startBytes, endBytes].every(isCount) && startBytes <= endBytes && isText(url)
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isTime = (value: unknown): boolean => Number.isFinite(value) && Number(value) >= 0
const isCount = (value: unknown): boolean => isTime(value) && Number.isSafeInteger(value)

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
  const usedAtMs = (entry: Kept): number => entry.usedAtMs ?? entry.createdAtMs
  const kept: Kept[] = []
  const dropped: string[] = []
  const all = [...values].filter(isEntry).sort((a, b) => usedAtMs(b) - usedAtMs(a))
  for (const entry of all) {
    const { key, expiresAtMs } = entry
    const endMs = expiresAtMs ? expiresAtMs + GRACE_MS : usedAtMs(entry) + UNUSED_MS
    if (kept.length < maxEntries && nowMs < endMs) kept.push(entry)
    else dropped.push(key)
  }
  kept.sort((a, b) => b.createdAtMs - a.createdAtMs || (a.key < b.key ? 1 : -1))
  return { kept, dropped }
}

/** The entries to show, of one fingerprint or all. */
export function shown({ kept }: Sifted, fingerprint?: string): StoredUpload[] {
  return kept
    .filter((entry) => entry.fingerprint === (fingerprint ?? entry.fingerprint))
    .map((entry) => ({ ...entry, usedAtMs: undefined }))
}
