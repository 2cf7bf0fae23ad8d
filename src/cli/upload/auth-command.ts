import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text as textOf } from 'node:stream/consumers'
import { TransferError } from '../../client/errors.ts'
import { oneLine } from '../one-line.ts'

const TIMEOUT_MS = 120_000
const FIELD_VALUE = /^[\x21-\x7e][\x20-\x7e]*$/

/**
 * The value of `Authorization` from a command of the user's, run by the shell: the first line it prints.
 *
 * The client asks once and again when the server answers 401, for all uploads together.
 *
 * @throws {TransferError} when the command fails or prints nothing usable. Never shows what it printed: it is a secret.
 */
export function authFrom(command: string): () => Promise<string> {
  return async () => {
    const child = spawn(command, { shell: true, stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS })
    const [printed, complaint, [code, signal]] = await Promise.all([
      textOf(child.stdout),
      textOf(child.stderr),
      once(child, 'close'),
    ]).catch((cause: unknown): never => {
      throw trouble('cannot be run', cause)
    })
    if (code !== 0) {
      const said = oneLine(complaint.trim().split('\n').at(-1) ?? '')
      const end = code === null ? `ended by ${String(signal)}` : `ended with code ${String(code)}`
      throw trouble(said === '' ? end : `${end}: ${said}`)
    }
    const value = (printed.split(/\r?\n/, 1)[0] ?? '').trim()
    if (!FIELD_VALUE.test(value))
      throw trouble(value === '' ? 'printed nothing' : 'printed more than plain ASCII')
    return value
  }
}

// `server`, because without credentials the server refuses; and because this code is not tried again.
function trouble(what: string, cause?: unknown): TransferError {
  return new TransferError('server', `the command of --auth-command ${what}`, {
    cause,
    hint: 'Its first line must be the value of Authorization, such as "Bearer …".',
  })
}
