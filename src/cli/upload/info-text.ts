import type { UploadInfo } from '../../client/calls.ts'
import type { Capabilities } from '../../client/capabilities.ts'
import type { Found } from '../info.ts'
import { formatSize } from '../units.ts'
import { displayName } from './display-name.ts'
import { amount, percentage } from './progress-text.ts'

const LABEL_COLUMNS = 11
const MINUTE_MS = 60_000

/** What was found, for people. */
export function infoLines({ url, upload, server }: Found, nowMs: number = Date.now()): readonly string[] {
  const rows: (readonly [label: string, text: string])[] = [
    [upload === undefined ? 'Uploads at' : 'Upload', url],
    ...(upload === undefined ? [] : uploadRows(upload, nowMs)),
    ...(server === undefined ? ([['Server', 'does not say what it can do']] as const) : serverRows(server)),
  ]
  return rows.map(([label, text]) => `${`${label}:`.padEnd(LABEL_COLUMNS)} ${text}`)
}

/** What was found, for programs. */
export function infoObject({ url, upload, server }: Found): object {
  const { offset, length, metadata, expiresAtMs, isPartial, isFinal } = upload ?? {}
  return {
    url,
    ...(upload === undefined ? {} : { offset, length: length ?? null, metadata, isPartial, isFinal }),
    ...(expiresAtMs === undefined ? {} : { expires: new Date(expiresAtMs).toISOString() }),
    server:
      server === undefined
        ? null
        : {
            versions: server.versions,
            extensions: [...server.extensions],
            maxSizeBytes: server.maxSizeBytes ?? null,
            checksumAlgorithms: [...server.checksumAlgorithms],
          },
  }
}

function uploadRows(upload: UploadInfo, nowMs: number): readonly (readonly [string, string])[] {
  const { offset, length, metadata, expiresAtMs, isPartial, isFinal } = upload
  const shown = { sentBytes: offset, totalBytes: length }
  const share = length === undefined ? 'the length is not declared yet' : percentage(shown)
  const kind = isPartial ? 'a part of another upload' : isFinal ? 'put together from parts' : undefined
  return [
    ['Received', `${amount(shown)} (${share})`],
    ['Bytes', length === undefined ? String(offset) : `${offset} of ${length}`],
    ...(kind === undefined ? [] : ([['Kind', kind]] as const)),
    ...Object.entries(metadata).map(
      ([key, value]) => ['Metadata', displayName(`${key} = ${value}`)] as const,
    ),
    ...(expiresAtMs === undefined
      ? []
      : ([
          ['Expires', `${new Date(expiresAtMs).toISOString()} (${whenWords(expiresAtMs - nowMs)})`],
        ] as const)),
  ]
}

function serverRows(server: Capabilities): readonly (readonly [string, string])[] {
  const { versions, extensions, maxSizeBytes, checksumAlgorithms } = server
  return [
    ['Server', `tus ${versions.map(displayName).join(', ') || 'of an unknown version'}`],
    ['Can', [...extensions].map(displayName).join(', ') || 'nothing beyond the core of the protocol'],
    ...(checksumAlgorithms.size === 0
      ? []
      : ([['Checksums', [...checksumAlgorithms].map(displayName).join(', ')]] as const)),
    ...(maxSizeBytes === undefined ? [] : ([['Largest', formatSize(maxSizeBytes)]] as const)),
  ]
}

/** `in 23 h`, `3 d ago`. */
export function whenWords(fromNowMs: number): string {
  const words = spanWords(Math.abs(fromNowMs))
  return fromNowMs < 0 ? `${words} ago` : `in ${words}`
}

function spanWords(ms: number): string {
  const minutes = Math.floor(ms / MINUTE_MS)
  if (minutes < 1) return 'less than a minute'
  if (minutes < 120) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`
}
