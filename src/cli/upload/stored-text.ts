import type { StoredUpload } from '../../client/ports/url-storage.ts'
import { formatSize } from '../units.ts'
import { displayName } from './display-name.ts'
import { whenWords } from './info-text.ts'

/** Remembered uploads as lines for people: file, size, when, where. */
export function uploadLines(
  entries: readonly StoredUpload[],
  before: string,
  nowMs: number = Date.now(),
): readonly string[] {
  return entries.map((entry) => {
    const { path, sizeBytes, createdAtMs, expiresAtMs } = entry
    return [
      before + displayName(path ?? entry.metadata['filename'] ?? '(no name)'),
      sizeBytes === undefined ? 'size not known' : formatSize(sizeBytes),
      `begun ${whenWords(Math.min(-1, createdAtMs - nowMs))}`,
      ...(expiresAtMs === undefined ? [] : [`expires ${whenWords(expiresAtMs - nowMs)}`]),
      displayName(urlOf(entry)),
    ].join('  ')
  })
}

/** One of them for programs. */
export function uploadObject(entry: StoredUpload, isForgotten: boolean): object {
  const { path, sizeBytes, metadata, createdAtMs, expiresAtMs, endpoint, parts } = entry
  return {
    event: isForgotten ? 'forgotten' : 'upload',
    path: path ?? null,
    url: entry.url ?? null,
    endpoint,
    bytes: sizeBytes ?? null,
    metadata,
    parts: parts?.length ?? 1,
    created: new Date(createdAtMs).toISOString(),
    ...(expiresAtMs === undefined ? {} : { expires: new Date(expiresAtMs).toISOString() }),
  }
}

function urlOf({ url, parts, endpoint }: StoredUpload): string {
  if (url !== undefined) return url
  return parts === undefined ? endpoint : `${parts.length} parts at ${endpoint}`
}
