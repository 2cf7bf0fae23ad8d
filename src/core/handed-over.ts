import type { Json, Placement, UploadRecord } from './upload.ts'

/** What is kept of the place of an upload whose bytes an application has taken. */
export interface HandedOver {
  /** Where the store had the bytes, so that freeing them can be repeated after a crash. */
  readonly from: Json
  /** In the words of whoever took them: what is left to clear away elsewhere. */
  readonly leftovers: readonly string[]
}

/**
 * The place of an upload whose bytes are the application's now. The record stays `complete`: a client that asks late
 * still hears that everything has arrived. No store ever reads it.
 */
export function handedOverPlacement(from: Placement, leftovers: readonly string[]): Placement {
  return { where: { handedOver: { from: from.where, leftovers } } }
}

/** `undefined`: the bytes are with the store. */
export function handedOverFrom({ placement }: Pick<UploadRecord, 'placement'>): HandedOver | undefined {
  const { where } = placement
  if (!isObject(where) || !isObject(where['handedOver'])) return undefined
  const { from = null, leftovers } = where['handedOver']
  return {
    from,
    leftovers: Array.isArray(leftovers) ? leftovers.filter((name) => typeof name === 'string') : [],
  }
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json | undefined } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
