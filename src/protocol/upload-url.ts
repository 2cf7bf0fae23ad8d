import { parseUploadId } from '../core/upload-id.ts'
import type { UploadId } from '../core/upload-id.ts'

/** What a URL in `Upload-Concat` is resolved against. */
export interface ConcatUrlContext {
  /** Path of the creation URL as this server sees it, such as `/files/`. */
  readonly basePath: string
  /** The same path as clients see it, where a proxy or a public URL puts something before it. */
  readonly publicBasePath?: string | undefined
  /** Origins this server answers for, such as `https://files.example`. An absolute URL must have one of them. */
  readonly origins: readonly string[]
}

const ABSOLUTE = /^(?<scheme>[A-Za-z][A-Za-z0-9+.-]*):\/\/(?<authority>[^/?#]*)(?<path>[^?#]*)$/
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/
const ESCAPE = /%([0-9A-Fa-f]{2})/g
const LONGEST_ESCAPED_ID = 64 * 3

/**
 * Takes the path out of a request target: origin-form, or absolute-form, which a server MUST accept
 * (RFC 9112 §3.2.2). The query is dropped; nothing is decoded or normalised.
 *
 * @returns `undefined` for `*` and for anything else that has no path.
 */
export function pathOfTarget(target: string): string | undefined {
  const text = withoutQuery(target)
  if (text.startsWith('/')) return text
  const parts = ABSOLUTE.exec(text)?.groups
  return parts === undefined ? undefined : parts['path'] || '/'
}

/**
 * Whether a path is the creation URL; its last slash may be missing.
 *
 * @param path - A path without query, see {@link pathOfTarget}.
 */
export function isCreationPath(path: string, basePath: string): boolean {
  return path === withSlash(basePath) || path === withSlash(basePath).slice(0, -1)
}

/**
 * Takes the upload's id out of a path: the base path, the id, nothing else.
 *
 * Percent-encoded characters of an id are decoded once, because RFC 3986 §6.2.2.2 calls both spellings the same
 * URI. No other encoding, no dot segment, second slash or backslash ever names an upload.
 *
 * @param path - A path without query, see {@link pathOfTarget}.
 * @param basePath - Path of the creation URL, such as `/files/`.
 */
export function uploadIdFromPath(path: string, basePath: string): UploadId | undefined {
  const base = withSlash(basePath)
  return path.startsWith(base) ? decodeUploadId(path.slice(base.length)) : undefined
}

/**
 * Resolves one URL of an `Upload-Concat` list to the id of an upload on this server. Nothing is ever fetched.
 *
 * Accepted are absolute URLs of our origins, absolute paths, and the relative forms `id` and `./id`; each with a
 * query or one trailing slash. `..` is not resolved: no tus client sends it, and it serves only tricks.
 *
 * @returns The id; `'foreign'` for a URL of another origin; `undefined` for anything that names no upload here.
 * @see tus 1.0 "Upload-Concat"
 */
export function resolveConcatUrl(url: string, context: ConcatUrlContext): UploadId | 'foreign' | undefined {
  const text = withoutQuery(url)
  if (text.startsWith('//')) return 'foreign'
  if (text.startsWith('/')) return idUnderBase(text, context)
  const parts = ABSOLUTE.exec(text)?.groups
  if (parts !== undefined) {
    const { scheme = '', authority = '', path = '' } = parts
    const origins = context.origins.map(normalOrigin)
    return origins.includes(normalOrigin(`${scheme}://${authority}`)) ? idUnderBase(path, context) : 'foreign'
  }
  if (SCHEME.test(text)) return 'foreign'
  const relative = text.startsWith('./') ? text.slice(2) : text
  return decodeUploadId(withoutTrailingSlash(relative))
}

function idUnderBase(path: string, { basePath, publicBasePath }: ConcatUrlContext): UploadId | undefined {
  const text = withoutTrailingSlash(path)
  const id = uploadIdFromPath(text, basePath)
  return id ?? (publicBasePath === undefined ? undefined : uploadIdFromPath(text, publicBasePath))
}

// One pass: what decoding yields is never decoded again, so %2541 stays %41, which is no id.
function decodeUploadId(text: string): UploadId | undefined {
  if (text.length > LONGEST_ESCAPED_ID) return undefined
  return parseUploadId(
    text.replaceAll(ESCAPE, (_, digits: string) => String.fromCharCode(Number(`0x${digits}`))),
  )
}

// Scheme and host are case-insensitive, and a default port says the same as none (RFC 3986 §6.2.3).
function normalOrigin(origin: string): string {
  const text = origin.toLowerCase()
  const port = text.startsWith('https:') ? ':443' : ':80'
  if (text.endsWith(port)) return text.slice(0, -port.length)
  return text.endsWith(':') ? text.slice(0, -1) : text
}

function withoutQuery(text: string): string {
  const query = text.indexOf('?')
  return query === -1 ? text : text.slice(0, query)
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`
}

function withoutTrailingSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}
