import type * as z from 'zod'
import { onOff, path, readAs, text } from '../setting-types.ts'
import { optionalSetting, setting } from '../settings.ts'
import { DURATION_RULE, parseDurationMs } from '../units.ts'

/** How to reach a server: the same for every command that talks to one. */
export interface ConnectionConfig {
  readonly headers: Readonly<Record<string, string>>
  /** Shell command whose first line is the value of `Authorization`. */
  readonly authCommand: string | undefined
  readonly stallTimeoutMs: number
  /** Paths of PEM files. */
  readonly cacert: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly insecure: boolean
  /** `none`: no proxy, whatever the environment says. */
  readonly proxy: string | undefined
  readonly debug: boolean
}

const HEADER = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\t\x20-\x7e]*)$/

const headers = readAs('"NAME: VALUE" in ASCII', (typed): Readonly<Record<string, string>> | undefined => {
  const found: Record<string, string> = {}
  for (const line of typed.split('\n')) {
    const [, name, value] = HEADER.exec(line) ?? []
    if (name === undefined || value === undefined) return undefined
    found[name] = value.trim()
  }
  return found
})

const stallTimeout = readAs(`${DURATION_RULE}, at most 1h`, (typed) => {
  const ms = parseDurationMs(typed)
  return ms === undefined || ms === 0 || ms > 3_600_000 ? undefined : ms
})

const proxy = readAs('the http or https URL of a proxy, or none', (typed) => {
  if (typed === 'none') return typed
  const url = URL.canParse(typed) ? new URL(typed) : undefined
  return url !== undefined && /^https?:$/.test(url.protocol) ? typed : undefined
})

const group = 'Connection:'

interface ConnectionGiven {
  readonly header: Readonly<Record<string, string>> | undefined
  readonly authCommand: string | undefined
  readonly stallTimeout: number
  readonly cacert: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly insecure: boolean
  readonly proxy: string | undefined
  readonly debug: boolean
}

type Shape = { readonly [Key in keyof ConnectionGiven]: z.ZodType<ConnectionGiven[Key], string | undefined> }

/** The shape, to be a part of a command's own. */
export const connectionShape: Shape = {
  header: optionalSetting(headers, {
    group,
    short: 'H',
    placeholder: 'NAME: VALUE',
    repeatable: 'lines',
    description: 'header field for every request; may be repeated',
  }),
  authCommand: optionalSetting(text, {
    group,
    placeholder: 'COMMAND',
    description: 'its first line is the Authorization value; it is run again when the server answers 401',
  }),
  stallTimeout: setting(stallTimeout, {
    group,
    placeholder: 'TIME',
    default: '30s',
    description: 'begin a request anew when no byte has moved for this long',
  }),
  cacert: optionalSetting(path, {
    group,
    placeholder: 'FILE',
    description: 'certificates to trust instead of the well-known ones (PEM)',
  }),
  cert: optionalSetting(path, { group, placeholder: 'FILE', description: "the client's certificate (PEM)" }),
  key: optionalSetting(path, {
    group,
    placeholder: 'FILE',
    description: 'the key of that certificate (PEM)',
  }),
  insecure: setting(onOff, {
    group,
    default: 'false',
    description: 'do not check the certificate of the server',
  }),
  proxy: optionalSetting(proxy, {
    group,
    placeholder: 'URL',
    defaultIs: 'HTTPS_PROXY, HTTP_PROXY, NO_PROXY',
    description: 'proxy to go through; none: no proxy',
  }),
  debug: setting(onOff, {
    group: 'Output:',
    default: 'false',
    description: 'show the exchanges with the server at the end',
  }),
}

/** What a parsed {@link connectionShape} means. */
export function connectionOf(given: ConnectionGiven): ConnectionConfig {
  const { header: headers = {}, stallTimeout: stallTimeoutMs, authCommand, proxy, debug } = given
  const { cacert, cert, key, insecure } = given
  return { headers, authCommand, stallTimeoutMs, cacert, cert, key, insecure, proxy, debug }
}

/** A client certificate is a pair: for `superRefine`. */
export function checkPair(
  given: { readonly cert?: unknown; readonly key?: unknown },
  context: z.RefinementCtx,
): void {
  if (given.key === undefined || given.cert !== undefined) return
  context.addIssue({ code: 'custom', path: ['key', 'cert'], message: 'needs --cert too' })
}
