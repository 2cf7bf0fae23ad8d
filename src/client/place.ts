import type { Place, Task } from './ports/features.ts'

/** Where an upload goes on: where the caller says, where it was remembered, or in new parts. */
export async function placeOf(task: Task): Promise<Place> {
  const { ledger, previous, source, terms, platform } = task
  const found = previous ?? (await ledger?.find())
  const entry = found && 'key' in found ? found : undefined
  if (entry) ledger?.adopt(entry)
  const isRemembered = !found || !!entry
  const url = found?.url ?? (isRemembered ? ledger?.seenUrl : undefined)
  const parts = url
    ? undefined
    : platform.features.parallel?.parts(source?.sizeBytes, terms?.parts ?? 1, entry)
  return { parts: parts ?? [{ startBytes: 0, url }], isDivided: !!parts, isRemembered }
}
