import { TransferError } from '../errors.ts'

const SHOWN_CHARACTERS = 200

/** A path on one line, whatever characters its name has. */
export function quoted(path: string): string {
  const isLong = path.length > SHOWN_CHARACTERS
  return JSON.stringify(isLong ? `${path.slice(0, SHOWN_CHARACTERS)}…` : path)
}

export function directory(name: string): TransferError {
  return new TransferError('source', `${name} is a directory`, {
    hint: 'Upload the files in it, each by itself.',
  })
}

/** Turns an error of the file system into one that says what to do. */
export function failWith(name: string): (cause: unknown) => never {
  return (cause) => {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    if (code === 'EISDIR') throw directory(name)
    const [message, hint] = textsOf(code)
    const text = message ?? `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new TransferError('source', `${name} ${text}`, { cause, hint })
  }
}

function textsOf(code: string): readonly [message?: string, hint?: string] {
  switch (code) {
    case 'ENOENT':
      return ['does not exist', 'A string is a path: pass content as bytes or as a Blob.']
    case 'EACCES':
    case 'EPERM':
      return ['may not be read', 'Check its permissions.']
    case 'EMFILE':
    case 'ENFILE':
      return [
        'cannot be opened: too many files are open',
        'Upload fewer at once, or raise the limit of open files.',
      ]
    case 'EBADF':
      return ['is closed', 'Keep it open until the upload has ended.']
    default:
      return []
  }
}
