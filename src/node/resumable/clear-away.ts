import type { Engine } from '../../core/engine.ts'
import { hasCode } from '../../core/errors.ts'
import type { UploadRecord } from '../../core/upload.ts'

/**
 * From now on frees the bytes of each upload once its handler has answered; the record stays for whoever asks again. A
 * crash right before it leaves bytes that go with the record.
 *
 * @returns A function that ends it and waits for what is under way.
 */
export function clearAway(engine: Engine, report: (error: unknown) => void): () => Promise<void> {
  const ending = new AbortController()
  const underWay = new Set<Promise<void>>()
  const stop = engine.observe(({ type, upload }) => {
    if (type !== 'post-finish' || upload.concat?.kind === 'partial' || engine.isClosing) return
    const clearing = clear(engine, upload, ending.signal)
      .catch((error: unknown) => {
        // Whoever ends it leaves the rest to the time when the record goes.
        if (!ending.signal.aborted && !hasCode(error, 'ERR_SERVER_SHUTDOWN')) report(error)
      })
      .finally(() => underWay.delete(clearing))
    underWay.add(clearing)
  }, 'events')
  return async () => {
    stop()
    await Promise.all(underWay)
    ending.abort()
  }
}

async function clear(engine: Engine, upload: UploadRecord, signal: AbortSignal): Promise<void> {
  await engine.claims.handOver(upload.id, [], signal)
  // The bytes of a final upload are those of its parts.
  const parts = upload.concat?.kind === 'final' ? new Set(upload.concat.parts) : []
  for (const part of parts) await engine.claims.remove(part, signal)
}
