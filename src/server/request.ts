import type { UploadId } from '../core/upload-id.ts'
import { isCreationPath, pathOfTarget, uploadIdFromPath } from '../protocol/upload-url.ts'
import type { Exchange } from './exchange.ts'

/** What a request is about. */
export type Target =
  | { readonly kind: 'creation' }
  | { readonly kind: 'upload'; readonly id: UploadId }
  /** Under our path, but no upload can have this name. */
  | { readonly kind: 'unknown' }
  /** `OPTIONS *`: the server as a whole. */
  | { readonly kind: 'server' }

/** A request whose target has been understood. */
export interface UploadRequest {
  readonly exchange: Exchange
  readonly target: Target
  /** The method that counts, after a method override. */
  readonly method: string
}

/**
 * Reads a request target.
 *
 * @returns `undefined` for a path that is not ours: another handler may know it.
 */
export function targetOf(target: string, basePath: string): Target | undefined {
  if (target === '*') return { kind: 'server' }
  const path = pathOfTarget(target)
  if (path === undefined) return undefined
  if (isCreationPath(path, basePath)) return { kind: 'creation' }
  if (!path.startsWith(basePath)) return undefined
  const id = uploadIdFromPath(path, basePath)
  return id === undefined ? { kind: 'unknown' } : { kind: 'upload', id }
}
