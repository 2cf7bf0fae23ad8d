import type { UploadId } from './upload-id.ts'
import { parseUploadId } from './upload-id.ts'

/** Lower case and without look-alikes: ids become file names, also on file systems that fold case. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'
const LENGTH = 28

/** Fills an array with cryptographically strong random bytes and returns it. */
export type RandomFill = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array

/** A new id of 140 random bits: knowing the URL of an upload is often the only right to it. */
export function newUploadId(random: RandomFill): UploadId {
  let text = ''
  for (const byte of random(new Uint8Array(LENGTH))) text += ALPHABET.charAt(byte & 31)
  const id = parseUploadId(text)
  if (id === undefined) throw new TypeError('the source of random bytes gave too few')
  return id
}
