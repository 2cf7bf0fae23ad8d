export type { CallOptions, UploadInfo } from './calls.ts'
export type { Capabilities } from './capabilities.ts'
export type { DownloadOptions, DownloadProgress, DownloadSink } from './download.ts'
export { SourceChanged, SourceNotRewindable, TransferError, Unsupported, isTransferError } from './errors.ts'
export type { TransferErrorCode, TransferErrorDetails } from './errors.ts'
export type { UploadEvent, UploadEvents, UploadListener, UploadResult } from './events.ts'
export type { ExchangeRecord } from './exchange-log.ts'
export type {
  Feature,
  HeadersOption,
  OutgoingRequest,
  RequestOptions,
  RetryAnswer,
  RetryOptions,
  UploadOptions,
} from './options.ts'
export type { Features } from './ports/features.ts'
export type { ChecksumAlgorithm, Connectivity, Hashing, Platform } from './ports/platform.ts'
export type { OpenSource, Slice, SliceContent, Source, SourceOptions, SourceTraits } from './ports/source.ts'
export type { ResponseHead, Transport, TransportRequest, TransportResponse } from './ports/transport.ts'
export type { LockOptions, StoredPart, StoredUpload, UrlStorage } from './ports/url-storage.ts'
export type { Progress } from './progress.ts'
export type { UploadState } from './state.ts'
export { UploadMachine } from './upload.ts'
export type { StartOptions } from './upload.ts'
export { memoryUrlStorage } from './url-storage/memory.ts'
export type { MemoryUrlStorageOptions } from './url-storage/memory.ts'
