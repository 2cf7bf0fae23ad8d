import type { Exchange } from './exchange.ts'

/** Who may use the server from a web page of another origin. */
export interface CorsOptions {
  /** `*`, a list of origins, or a predicate. @default '*' */
  readonly origins?: '*' | readonly string[] | ((origin: string) => boolean)
  /** Cookies and HTTP authentication may be sent. Needs a list or a predicate. @default false */
  readonly credentials?: boolean
  /** How long a browser may keep the answer to a preflight, in seconds. @default 86400 */
  readonly maxAgeSeconds?: number
  /** Answer fields that pages may read, beside those of the protocols. */
  readonly exposeHeaders?: readonly string[]
}

/** Adds the fields that a browser needs to an answer, errors included. */
export interface Cors {
  fields(exchange: Exchange): Readonly<Record<string, string>>
}

const METHODS = 'POST, GET, HEAD, PATCH, DELETE, OPTIONS'
const REQUEST_FIELDS = [
  'Authorization',
  'Content-Type',
  'Tus-Resumable',
  'Upload-Checksum',
  'Upload-Concat',
  'Upload-Defer-Length',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
  'X-HTTP-Method-Override',
  'X-Request-ID',
  'X-Requested-With',
]
const ANSWER_FIELDS = [
  'Accept-Ranges',
  'Content-Disposition',
  'Content-Range',
  'ETag',
  'Location',
  'Retry-After',
  'Tus-Checksum-Algorithm',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Resumable',
  'Tus-Version',
  'Upload-Concat',
  'Upload-Defer-Length',
  'Upload-Expires',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
]
const FIELD_NAMES = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:[ \t]*,[ \t]*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*$/
const LONGEST_REQUESTED = 1024

/**
 * @param report - Hears of a predicate that throws; the origin is then not allowed.
 * @throws {TypeError} for `credentials` with any origin: every page on the web could then act as its visitor.
 */
export function makeCors(options: CorsOptions | false, report: (error: unknown) => void): Cors {
  if (options === false) return { fields: () => ({}) }
  const { origins = '*', credentials = false, maxAgeSeconds = 86_400 } = options
  if (origins === '*' && credentials)
    throw new TypeError('CORS with credentials needs a list of origins, not *')
  const expose = [...ANSWER_FIELDS, ...(options.exposeHeaders ?? [])].join(', ')
  const common = {
    'Access-Control-Expose-Headers': expose,
    ...(credentials ? { 'Access-Control-Allow-Credentials': 'true' } : {}),
  }
  // Caches must not give one origin the answer to another.
  const vary = origins === '*' ? {} : { Vary: 'Origin' }
  return {
    fields(exchange) {
      const origin = exchange.header('origin')
      if (origin === undefined) return vary
      if (!isAllowed(origins, origin, report)) return vary
      const allowed = { ...common, ...vary, 'Access-Control-Allow-Origin': origins === '*' ? '*' : origin }
      if (exchange.method !== 'OPTIONS') return allowed
      return {
        ...allowed,
        'Access-Control-Allow-Methods': METHODS,
        'Access-Control-Allow-Headers': allowedFields(exchange.header('access-control-request-headers')),
        'Access-Control-Max-Age': String(maxAgeSeconds),
      }
    },
  }
}

function isAllowed(
  origins: NonNullable<CorsOptions['origins']>,
  origin: string,
  report: (error: unknown) => void,
): boolean {
  if (origins === '*') return true
  if (typeof origins !== 'function') return origins.includes(origin)
  try {
    return origins(origin)
  } catch (error) {
    report(error)
    return false
  }
}

/** Applications send fields of their own (API keys, tracing): what a page asks for is allowed if it is well-formed. */
function allowedFields(requested: string | undefined): string {
  const ours = REQUEST_FIELDS.join(', ')
  if (requested === undefined || requested.length > LONGEST_REQUESTED) return ours
  return FIELD_NAMES.test(requested) ? `${ours}, ${requested}` : ours
}
