import type { Directory } from './directory.ts'
import type { Disk } from './disk.ts'
import type { HandleCache } from './handle-cache.ts'

/** What the parts of one file store share. */
export interface Workshop {
  readonly disk: Disk
  readonly directory: Directory
  /** Sync data and directories before a promise resolves. */
  readonly durable: boolean
  readonly fileMode: number
  readonly inlineMaxBytes: number
  readonly handles: HandleCache
  /**
   * Files of which a data sync failed: the kernel may have dropped their pages and called them clean, so a later
   * sync would lie. Never extended nor synced again by this process.
   */
  readonly poisoned: Set<string>
  /** Files that an appender of this process has open now: nobody else extends them, whatever the lease says. */
  readonly busy: Set<string>
}
