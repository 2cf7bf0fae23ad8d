import { checksums } from './checksum.ts'
import { adaptiveChunks } from './chunk-size.ts'
import { exchangeLog } from './exchange-log.ts'
import { hintFor } from './hints.ts'
import { rememberedUploads } from './ledger.ts'
import { negotiation } from './negotiate.ts'
import { parallelParts } from './parallel.ts'
import type { Features } from './ports/features.ts'
import { rateLimit } from './rate-bursts.ts'

/** What `carryon/client` can on every platform, as browsers do it. */
export const allFeatures: Features = {
  required: negotiation,
  parallel: parallelParts,
  checksum: checksums,
  maxBytesPerSecond: rateLimit,
  chunkSizeBytes: adaptiveChunks,
  urlStorage: rememberedUploads,
  report: exchangeLog,
  hints: hintFor,
}
