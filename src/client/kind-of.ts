import { TransferError } from './errors.ts'

/** The class of a value by its name, which is the same in every realm: a frame's `ArrayBuffer` is another class. */
export function kindOf(value: unknown): string {
  return {}.toString.call(value).slice('[object '.length, -1)
}

export function notContent(input: unknown): TransferError {
  return new TransferError('source', `cannot upload ${kindOf(input)}`)
}
