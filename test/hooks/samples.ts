import type { FinishContext, HookContext, ProgressContext, RequestFacts } from '../../src/core/ports/hooks.ts'
import type { UploadRecord } from '../../src/core/upload.ts'
import { NO_APPLICATION } from '../../src/core/upload.ts'
import { parseUploadId } from '../../src/core/upload-id.ts'
import type { UploadId } from '../../src/core/upload-id.ts'
import type { HookType } from '../../src/hooks/hook-types.ts'
import type { HookCall, HookTransport } from '../../src/hooks/ports/transport.ts'
import { liveRequest, tusdUpload } from '../../src/hooks/tusd-event.ts'
import { uploadFacts } from '../../src/hooks/message.ts'
import { anId } from '../support/ids.ts'

export const START_MS: number = Date.UTC(2026, 0, 1)

export function idOf(text: string): UploadId {
  const id = parseUploadId(text.padEnd(28, 'x'))
  if (id === undefined) throw new TypeError(`not an id: ${text}`)
  return id
}

export function aRecord(overrides: Partial<UploadRecord> = {}): UploadRecord {
  return {
    id: anId,
    dialect: 'tus1',
    status: 'receiving',
    offset: 0,
    length: 1000,
    metadata: { filename: 'a.png' },
    echo: {},
    concat: undefined,
    ...NO_APPLICATION,
    placement: { where: null },
    durability: 'process',
    epoch: 1,
    chore: undefined,
    createdAtMs: START_MS,
    lastWriteAtMs: START_MS,
    expiresAtMs: undefined,
    finishedAtMs: undefined,
    ...overrides,
  }
}

/** A request with everything that must not lie around. */
export function aRequest(overrides: Partial<RequestFacts> = {}): RequestFacts {
  return {
    method: 'POST',
    target: '/files/?project=7',
    peerAddress: '192.0.2.1',
    headers: {
      host: ['upload.example.com'],
      'user-agent': ['tus-js-client/4'],
      'upload-length': ['1000'],
      authorization: ['Bearer open-sesame'],
      cookie: ['session=secret-cake', 'theme=dark'],
      'x-tenant': ['blue', 'green'],
    },
    ...overrides,
  }
}

export function aContext(overrides: Partial<HookContext> = {}): HookContext {
  return { upload: aRecord(), owner: undefined, request: aRequest(), ...overrides }
}

export function progressContext(
  receivedBytes: number,
  overrides: Partial<HookContext> = {},
): ProgressContext {
  return { ...aContext(overrides), receivedBytes }
}

export function finishContext(overrides: Partial<FinishContext> = {}): FinishContext {
  return {
    ...aContext({ upload: aRecord({ offset: 1000, status: 'finishing' }) }),
    idempotencyKey: 'key',
    attempt: 1,
    creation: undefined,
    async *read() {
      yield new Uint8Array(0)
    },
    path: async () => '/nowhere',
    ...overrides,
  }
}

export function aCall(type: HookType, overrides: Partial<HookCall> = {}): HookCall {
  const record = aRecord()
  return {
    type,
    id: `${anId}.${type}`,
    attempt: 1,
    atMs: START_MS,
    event: { Upload: tusdUpload(record, null), HTTPRequest: liveRequest(aRequest()) },
    facts: uploadFacts(record),
    ...overrides,
  }
}

export function never(): AbortSignal {
  return new AbortController().signal
}

/** A transport of a function, with nothing around it. */
export function bareTransport(invoke: HookTransport['invoke'], name = 'bare'): HookTransport {
  return { name, invoke }
}
