declare const brand: unique symbol

/** Names one upload: 22 to 64 characters of `A-Za-z0-9_-`, at least 128 random bits when made by us. */
export type UploadId = string & { readonly [brand]: 'UploadId' }

const PATTERN = /^[A-Za-z0-9_-]{22,64}$/

/**
 * The only way from text to an `UploadId`.
 *
 * Everything that reaches a path or a query passes here first, so no encoding of `..`, NUL or a
 * separator can name anything else than an upload.
 *
 * @returns The same text, branded; `undefined` when it is not an id.
 */
export function parseUploadId(text: unknown): UploadId | undefined {
  return typeof text === 'string' && PATTERN.test(text) ? (text as UploadId) : undefined
}
