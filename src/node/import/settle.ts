import type { Catalog } from '../../core/ports/catalog.ts'
import type { Store } from '../../core/ports/store.ts'
import type { UploadId } from '../../core/upload-id.ts'

/**
 * Brings a complete upload to its final place, as the server does after its answer. Disturbs nobody: what another
 * process holds is left to that one, and what fails to the next start of a server.
 *
 * @throws the store's error; the record still says what is left to do.
 */
export async function settle(catalog: Catalog, store: Store, id: UploadId): Promise<void> {
  if (await catalog.heldElsewhere(id, false)) return
  const acquired = await catalog.acquire(id)
  if (acquired.kind !== 'held') return
  try {
    const { record } = acquired
    const { epoch, offset, status, chore } = record
    if (status !== 'complete' || chore !== 'settle') return
    const [outcome] = await store.finish([record])
    if (outcome === undefined || !outcome.ok) throw outcome?.error ?? new Error('the store gave no outcome')
    const { placement } = outcome
    const isDone = await catalog.update(id, { epoch, offset, status }, { placement, chore: undefined })
    if (isDone) await store.tidy(record, placement)
  } finally {
    await catalog.release(id)
  }
}
