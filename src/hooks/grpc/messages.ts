import type { Json } from '../../core/upload.ts'
import { messageOf } from '../message.ts'
import type { HookCall } from '../ports/transport.ts'

/** A call as tusd's proto has it. */
export function requestOf(call: HookCall): object {
  const { Upload: upload, HTTPRequest: http } = call.event
  return {
    type: call.type,
    event: {
      upload: {
        id: upload.ID,
        size: upload.Size,
        sizeIsDeferred: upload.SizeIsDeferred,
        offset: upload.Offset,
        metaData: upload.MetaData,
        isPartial: upload.IsPartial,
        isFinal: upload.IsFinal,
        partialUploads: upload.PartialUploads ?? [],
        storage: storageOf(upload.Storage),
      },
      httpRequest: {
        method: http.Method,
        uri: http.URI,
        remoteAddr: http.RemoteAddr,
        header: firstValues(http.Header),
      },
    },
    carryon: carryonOf(call),
  }
}

function carryonOf(call: HookCall): string {
  const { Carryon } = JSON.parse(messageOf(call)) as { Carryon: unknown }
  return JSON.stringify(Carryon)
}

/** The proto has one text per name; tusd sends the first one too. */
function firstValues(header: Readonly<Record<string, readonly string[]>>): Record<string, string> {
  const first: Record<string, string> = Object.create(null)
  for (const [name, [value]] of Object.entries(header)) if (value !== undefined) first[name] = value
  return first
}

function storageOf(storage: Json): Record<string, string> {
  const texts: Record<string, string> = Object.create(null)
  if (typeof storage !== 'object' || storage === null || Array.isArray(storage)) return texts
  for (const [key, value] of Object.entries(storage)) {
    if (value !== undefined) texts[key] = typeof value === 'string' ? value : JSON.stringify(value)
  }
  return texts
}

interface WireResponse {
  readonly httpResponse?: { readonly statusCode?: number; readonly header?: object; readonly body?: string }
  readonly rejectUpload?: boolean
  readonly rejectTermination?: boolean
  readonly stopUpload?: boolean
  readonly changeFileInfo?: { readonly id?: string; readonly metaData?: object; readonly storage?: object }
}

/** An answer of tusd's proto in the words of its JSON, still to be checked. */
export function answerOf(wire: object): object {
  // As the proto declares it: the codec has checked that.
  const { httpResponse: http, changeFileInfo: change, ...flags } = wire as WireResponse
  return {
    HTTPResponse: http && { StatusCode: http.statusCode, Header: http.header, Body: http.body },
    RejectUpload: flags.rejectUpload,
    RejectTermination: flags.rejectTermination,
    StopUpload: flags.stopUpload,
    ChangeFileInfo: change && { ID: change.id, MetaData: change.metaData, Storage: change.storage },
  }
}
