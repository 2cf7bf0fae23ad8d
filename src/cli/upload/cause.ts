const LONGEST_CHAIN = 8
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]+$/
// Errors of OpenSSL and of Node's certificate checks. EPROTO: what answered does not speak TLS.
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|EPROTO)/

/** The code of the operating system, or of Node, behind an error: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
export function causeCode(error: unknown): string | undefined {
  let link = error
  for (let depth = 0; link instanceof Error && depth < LONGEST_CHAIN; depth += 1) {
    if ('code' in link && typeof link.code === 'string' && SYSTEM_CODE.test(link.code)) return link.code
    // Several addresses of one host failed, each for its own reason.
    link = link instanceof AggregateError ? link.errors[0] : link.cause
  }
  return undefined
}

/** Whether the connection failed because of certificates: trying again changes nothing. */
export function isTlsTrouble(code: string | undefined): boolean {
  return code !== undefined && TLS_CODE.test(code)
}
