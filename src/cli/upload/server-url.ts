import { usageError } from '../cli-error.ts'
import { quote } from '../one-line.ts'

/**
 * The address of a server or an upload, as it was typed.
 *
 * @param what - What it should be, for the complaint.
 * @throws {CliError} a usage error for anything but an http or https URL, and for credentials in it: they would be
 *   shown in messages and stay in the history of the shell.
 */
export function serverUrl(typed: string, what: string): string {
  const url = URL.canParse(typed) ? new URL(typed) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw usageError(`${what}, not ${quote(typed)}`)
  if (url.username !== '' || url.password !== '')
    throw usageError(
      'credentials do not belong in the URL; use --header "Authorization: …" or --auth-command',
    )
  url.hash = ''
  return url.href
}

/** Whether somebody meant a URL. */
export function looksLikeUrl(text: string): boolean {
  return /^https?:\/\//i.test(text)
}
