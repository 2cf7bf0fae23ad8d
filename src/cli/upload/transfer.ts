import type { UploadEvents, UploadListener, UploadResult } from '../../client/events.ts'
import type { ExchangeRecord } from '../../client/exchange-log.ts'
import type { UploadOptions } from '../../client/options.ts'

/** What the command needs of an `Upload`; tests script it. */
export interface Transfer {
  on<Type extends keyof UploadEvents>(type: Type, listener: UploadListener<Type>): unknown
  start(): Promise<UploadResult>
  pause(): Promise<void>
  cancel(options?: { readonly terminate?: boolean }): Promise<void>
  report(): readonly ExchangeRecord[]
}

/** `new Upload(…)`. */
export type OpenTransfer = (input: unknown, options: UploadOptions) => Transfer
