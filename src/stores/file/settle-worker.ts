import { parentPort } from 'node:worker_threads'

import { constants } from 'node:fs'

import { isUploadError } from '../../core/errors.ts'
import { blockingDisk } from './blocking-disk.ts'
import { errorCode } from './disk-errors.ts'
import { settle } from './settle.ts'
import type { SettleResult } from './settle.ts'
import type { SettleAnswer, SettleRequest, SettledJob } from './settle-messages.ts'

/*
 * Settles batches of small files with blocking calls: cheaper than the thread pool, and neither the event loop nor the
 * pool waits for the disk meanwhile.
 */
async function syncDirectory(path: string): Promise<void> {
  const fd = await blockingDisk.open(path, constants.O_RDONLY)
  try {
    await blockingDisk.fsync(fd)
  } finally {
    await blockingDisk.close(fd)
  }
}

async function answer({ batch, place, jobs }: SettleRequest): Promise<SettleAnswer> {
  try {
    const results = await settle({ disk: blockingDisk, syncDirectory }, place, jobs)
    return { batch, results: results.map(toMessage) }
  } catch (error) {
    return { batch, results: jobs.map(() => toMessage({ ok: false, error })) }
  }
}

/** Errors lose their class and code on the way between threads. */
function toMessage(result: SettleResult): SettledJob {
  if (result.ok) return result
  const { error } = result
  const message = error instanceof Error ? error.message : String(error)
  return { ok: false, corrupt: isUploadError(error), code: errorCode(error), message }
}

parentPort?.on('message', (request: SettleRequest) => {
  void answer(request).then((message) => parentPort?.postMessage(message))
})
