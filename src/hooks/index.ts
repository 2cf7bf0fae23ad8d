export { combineHooks } from './combine.ts'
export { startDelivery } from './deliverer.ts'
export type { Deliverer, DelivererOptions } from './deliverer.ts'
export { eventSinkOf, KEPT_HEADERS, queueOf } from './event-sink.ts'
export type { EventSinkOptions } from './event-sink.ts'
export { execTransport } from './exec/exec-transport.ts'
export type { ExecTransportOptions } from './exec/exec-transport.ts'
export { grpcTransport } from './grpc/grpc-transport.ts'
export type { GrpcTls, GrpcTransportOptions } from './grpc/grpc-transport.ts'
export { HookError, isHookError } from './ports/hook-error.ts'
export type { HookErrorCode, HookErrorDetails, HookRetry } from './ports/hook-error.ts'
export { DEFAULT_HOOK_TYPES, HOOK_TYPES, isHookType } from './hook-types.ts'
export type { HookType } from './hook-types.ts'
export { httpTransport } from './http/http-transport.ts'
export type { HttpTransportOptions } from './http/http-transport.ts'
export { listenerTransport } from './listener.ts'
export type { HookListener, ListenerOptions } from './listener.ts'
export { remoteHooks } from './remote-hooks.ts'
export type { FailurePolicy, RemoteHooksOptions } from './remote-hooks.ts'
export type {
  HookCall,
  HookFileInfoChange,
  HookHttpResponse,
  HookResponse,
  HookTransport,
  UploadFacts,
} from './ports/transport.ts'
export type { TryOptions } from './tries.ts'
export type { TusdEvent, TusdHttpRequest, TusdUpload } from './ports/transport.ts'
export type { StorageOf } from './tusd-event.ts'
export { isStorable } from './tusd-event.ts'
