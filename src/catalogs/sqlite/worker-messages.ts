import type { Durability } from '../../core/upload.ts'
import type { Batch, Reply } from './operations.ts'

/** What the worker starts with. */
export interface WorkerSetup {
  readonly path: string
  readonly durability: Durability
}

export type ToWorker = Batch | 'close'

export type FromWorker =
  | { readonly kind: 'ready' }
  /** The worker runs but the database could not be opened. */
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'fatal'; readonly reason: string }
