import type { Engine } from '../../core/engine.ts'
import type { ClaimQueue, ClaimQueueOptions } from './queue.ts'
import type { Claim, ClaimsOptions, DeadClaim, UploadFacts } from './types.ts'

export type {
  Claim,
  ClaimMetadata,
  ClaimRecord,
  ClaimsOptions,
  ContentAlgorithm,
  ContentDigest,
  DeadClaim,
  Destination,
  DoneOptions,
  ReleaseOptions,
  SaveOptions,
  SaveRecordOptions,
  UploadFacts,
} from './types.ts'

/** Complete uploads for workers. */
export interface Claims {
  /**
   * Complete uploads, oldest first, each for this worker alone, and then those that are still to come. The first use,
   * by whichever process, also brings those that were complete before.
   *
   * A claim belongs to its turn of the loop: what is neither done nor released by then is released, so that it comes
   * again. The loop ends with `signal`, with `timeoutMs`, or when the uploads are closed.
   *
   * @throws {RangeError} for options that make no sense.
   */
  claims(options?: ClaimsOptions): AsyncGenerator<Claim, void, undefined>
  /** The oldest complete upload that is free; waits for one. `undefined` when the waiting ended first. */
  claim(options?: ClaimsOptions): Promise<Claim | undefined>
  /**
   * Uploads that were claimed as often as they may be, and never done. Oldest first.
   *
   * @param limit - How many at most. @default 100
   */
  deadClaims(limit?: number): Promise<readonly DeadClaim[]>
}

interface Claiming {
  readonly claims: Claims
  /** Hands out nothing more, waits for open claims, gives back what still is. */
  close(waitMs: number): Promise<void>
}

/** Loads the rest with the first use: most servers have no worker. */
export function claimsOf(engine: Engine, options: ClaimQueueOptions): Claiming {
  let loading: Promise<ClaimQueue> | undefined
  const loaded = (): Promise<ClaimQueue> => {
    loading ??= import('./queue.ts').then((module) => new module.ClaimQueue(engine, options))
    return loading
  }
  return {
    claims: {
      async *claims(claimsOptions = {}) {
        yield* (await loaded()).claims(claimsOptions)
      },
      claim: async (claimsOptions = {}) => (await loaded()).claim(claimsOptions),
      deadClaims: async (limit = 100) => (await loaded()).deadClaims(limit),
    },
    close: async (waitMs) => (await loading)?.close(waitMs),
  }
}

/**
 * Reads what `claim.saveRecord()` has written.
 *
 * @throws {UploadError} `ERR_CORRUPT_RECORD` for a file that is no such record; the error of `node:fs` if it cannot be read.
 */
export async function readRecord(path: string): Promise<UploadFacts> {
  const module = await import('./record-file.ts')
  return module.readRecord(path)
}
