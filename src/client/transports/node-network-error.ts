import { TransferError, isTransferError } from '../errors.ts'

const CERTIFICATE =
  'Name a CA certificate that vouches for the server, or switch the check of certificates off.'
const SELF_SIGNED = { what: 'its certificate is not signed by an authority known here', hint: CERTIFICATE }
const NO_TLS = {
  what: 'it does not speak TLS',
  hint: 'Is it an http: server at an https: address, or an old one?',
}
const UNREACHABLE = { what: 'there is no way to it', hint: 'Is the network up, and is a proxy needed?' }

interface Explanation {
  readonly what: string
  readonly hint?: string
}

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  ENOTFOUND: { what: 'the name was not found', hint: 'Check the spelling of the host, and the network.' },
  EAI_AGAIN: { what: 'the name could not be looked up', hint: 'Is the network up?' },
  ECONNREFUSED: { what: 'nothing listens there', hint: 'Is the server running, and the port right?' },
  ECONNRESET: { what: 'the connection was cut' },
  EPIPE: { what: 'the connection was cut' },
  ETIMEDOUT: { what: 'the connection timed out', hint: UNREACHABLE.hint },
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  DEPTH_ZERO_SELF_SIGNED_CERT: SELF_SIGNED,
  SELF_SIGNED_CERT_IN_CHAIN: SELF_SIGNED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: SELF_SIGNED,
  UNABLE_TO_GET_ISSUER_CERT: SELF_SIGNED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: SELF_SIGNED,
  CERT_HAS_EXPIRED: { what: 'its certificate has expired', hint: CERTIFICATE },
  CERT_NOT_YET_VALID: {
    what: 'its certificate is not valid yet',
    hint: 'Is the clock of this machine right?',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: { what: 'its certificate is for another name', hint: 'Check the host.' },
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: {
    what: 'it asks for a client certificate',
    hint: 'Name a certificate and its key.',
  },
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  EPROTO: NO_TLS,
}

/**
 * Trust, and who speaks TLS at all, are matters of settings: no later attempt finds them otherwise. Broken records
 * and handshakes that take too long are not.
 */
const FINAL = /^(CERT_|ERR_TLS_CERT|UNABLE_TO_|HOSTNAME_)|SELF_SIGNED|wrong.version.number|_ALERT_| alert /i

/** Whom a failed request was for. */
export interface Addressee {
  readonly method: string
  readonly url: URL
  /** Who was spoken to instead. */
  readonly proxy?: URL | undefined
}

/**
 * Turns what Node's sockets and parser report into a `network` failure in plain words.
 *
 * The original is its `cause`, with Node's `code`.
 */
export function networkError(error: unknown, { method, url, proxy }: Addressee): TransferError {
  if (isTransferError(error)) return error
  const code = codeOf(error)
  const known = Object.hasOwn(EXPLANATIONS, code) ? EXPLANATIONS[code] : undefined
  const what = known?.what ?? (code.startsWith('HPE_') ? 'its answer is not HTTP' : messageOf(error, code))
  const who = proxy === undefined ? url.host : `the proxy ${proxy.host}`
  return new TransferError('network', `no answer from ${who}: ${what}`, {
    cause: error,
    hint: known?.hint,
    isFinal: FINAL.test(`${code} ${messageOf(error, '')}`) || undefined,
    method,
    url: url.href,
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** An `AggregateError` of several addresses has no message of its own. */
function messageOf(error: unknown, code: string): string {
  return (error instanceof Error ? error.message : String(error)) || code || 'the connection failed'
}
