import type { RateFeature } from './ports/features.ts'
import { tokenBucket } from './token-bucket.ts'

/** What is sent at once, because content cannot be held back while it is on its way: browsers take it as a whole. */
const BURST_SECONDS = 2

/** `maxBytesPerSecond`: small requests, which wait before they are sent. */
export const rateLimit: RateFeature = (clock, bytesPerSecond) => {
  const take = tokenBucket(clock, bytesPerSecond)
  return async (source, start, maxBytes, signal) => {
    const burstBytes = Math.ceil(bytesPerSecond * BURST_SECONDS)
    const slice = await source.slice(start, Math.min(maxBytes, burstBytes), signal)
    await take(slice.sizeBytes, signal)
    return slice
  }
}
