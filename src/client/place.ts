import type { Place, Task } from './ports/features.ts'

/** Where an upload goes on: where the caller says, where it was remembered, or in new parts. */
export async function placeOf({ ledger, previous, source, terms, platform }: Task): Promise<Place> {
  const entry = ledger ? await ledger.find(previous) : previous
  const url = entry?.url ?? ledger?.seenUrl
  const { parallel } = platform.features
  const parts = url ? undefined : parallel?.parts(source.sizeBytes, terms.parts ?? 1, entry)
  return {
    parts: parts ?? [{ startBytes: 0, url }],
    isRemembered: !previous || 'key' in previous,
  }
}
