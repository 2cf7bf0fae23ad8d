import type { CreateDecision, HookContext, Hooks } from '../../core/ports/hooks.ts'
import type { OnRequest } from '../../server/gate.ts'
import type { UploadsOptions } from '../index.ts'

type SharedOptions = Pick<
  UploadsOptions,
  | 'dir'
  | 'maxSizeBytes'
  | 'maxAppendBytes'
  | 'ownerBounds'
  | 'durability'
  | 'checksumAlgorithms'
  | 'pace'
  | 'memoryBytes'
  | 'publicUrl'
  | 'cors'
  | 'download'
  | 'termination'
  | 'concatenation'
  | 'methodOverride'
  | 'maxMetadataBytes'
  | 'report'
  | 'onFatal'
>

/** @typeParam Raw - The request as the form of the handler knows it: `Request`, or Node's own. */
export interface ResumableOptions<Raw> extends SharedOptions {
  /** The handler's route, such as `/photos`. Uploads get URLs right below it. */
  readonly path: string
  /** Method of the request that the handler is called with. @default 'POST' */
  readonly method?: 'POST' | 'PUT'
  /** Whether the handler also gets the content as a file: `resumedUpload(request).path`. @default 'stream' */
  readonly deliver?: 'stream' | 'path'
  /**
   * How long unfinished uploads wait for their client, and how long an answer can be asked for again, in milliseconds.
   *
   * @default 86400000, a day
   */
  readonly validForMs?: number
  /** Keep the content and its record for good after the handler has answered, in `<dir>/completed`. @default false */
  readonly keepFiles?: boolean
  /**
   * More fields of the creating request that the handler gets to see. Never cookies and credentials: they would lie on
   * the disk.
   */
  readonly keepHeaders?: readonly string[]
  /**
   * Asked about every request of a resumable upload but preflights, whatever its method: authenticate, authorise, set
   * `context.owner`.
   *
   * @param request - The request with everything that a framework has put on it; do not read its body.
   */
  readonly onRequest?: (context: Parameters<OnRequest>[0], request: Raw) => ReturnType<OnRequest>
  /** May refuse a creation, or make it another one. What it puts into `serverMetadata` is told to the handler. */
  readonly onCreate?: (context: HookContext) => CreateDecision | void | Promise<CreateDecision | void>
  readonly onAppend?: NonNullable<Hooks['onAppend']>
  readonly onTerminate?: NonNullable<Hooks['onTerminate']>
}

/** Options with everything filled in that `resumable` itself needs. */
export interface CheckedOptions extends Omit<ResumableOptions<object>, 'path' | 'onRequest'> {
  /** Starts and ends with a slash. */
  readonly basePath: string
  readonly method: 'POST' | 'PUT'
  readonly deliver: 'stream' | 'path'
  readonly validForMs: number
  readonly keepFiles: boolean
  /** Lower-case names. */
  readonly keepHeaders: readonly string[]
  readonly onRequest: ResumableOptions<object>['onRequest']
  readonly report: (error: unknown) => void
}

const DAY_MS = 24 * 60 * 60 * 1000

const PATH = /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]+\/)*$/
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** They would let whoever reads the disk act as the client. */
const SECRET =
  /^(?:cookie|set-cookie|authorization|proxy-authorization|.*(?:token|secret|password|api-?key).*)$/

/** What a handler sees of the creating request; `Host` and the scheme are kept beside it. */
const KEPT = [
  'accept',
  'accept-language',
  'content-language',
  'content-type',
  'forwarded',
  'idempotency-key',
  'origin',
  'traceparent',
  'tracestate',
  'user-agent',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-request-id',
  'x-requested-with',
]

const NAMES: Readonly<Record<keyof ResumableOptions<object>, true>> = {
  checksumAlgorithms: true,
  concatenation: true,
  cors: true,
  deliver: true,
  dir: true,
  download: true,
  durability: true,
  keepFiles: true,
  keepHeaders: true,
  maxAppendBytes: true,
  maxMetadataBytes: true,
  maxSizeBytes: true,
  memoryBytes: true,
  method: true,
  methodOverride: true,
  onAppend: true,
  onCreate: true,
  onFatal: true,
  onRequest: true,
  onTerminate: true,
  ownerBounds: true,
  pace: true,
  path: true,
  publicUrl: true,
  report: true,
  termination: true,
  validForMs: true,
}

/** @throws {TypeError} for options that make no sense, one sentence each. */
export function checkOptions<Raw extends object>(options: ResumableOptions<Raw>): CheckedOptions {
  const given: unknown = options
  if (typeof given !== 'object' || given === null)
    throw new TypeError('resumable needs options: { dir, path }')
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(NAMES, name)) throw new TypeError(`resumable has no option ${JSON.stringify(name)}`)
  }
  const { dir, method = 'POST', deliver = 'stream', validForMs = DAY_MS, keepFiles = false } = options
  check(typeof dir === 'string' && dir !== '', 'dir', dir, 'the path of a directory')
  check(method === 'POST' || method === 'PUT', 'method', method, "'POST' or 'PUT'")
  check(deliver === 'stream' || deliver === 'path', 'deliver', deliver, "'stream' or 'path'")
  check(isCount(validForMs), 'validForMs', validForMs, 'a positive number of milliseconds')
  check(typeof keepFiles === 'boolean', 'keepFiles', keepFiles, 'true or false')
  const { maxSizeBytes } = options
  check(
    maxSizeBytes === undefined || isCount(maxSizeBytes),
    'maxSizeBytes',
    maxSizeBytes,
    'a positive integer',
  )
  for (const name of ['onRequest', 'onCreate', 'onAppend', 'onTerminate', 'report', 'onFatal'] as const) {
    const value: unknown = options[name]
    check(value === undefined || typeof value === 'function', name, value, 'a function')
  }
  return {
    ...options,
    basePath: checkedPath(options.path),
    method,
    deliver,
    validForMs,
    keepFiles,
    keepHeaders: [...KEPT, ...checkedHeaders(options.keepHeaders)],
    // It is only ever called with requests of the form that it was written for.
    onRequest: options.onRequest as ResumableOptions<object>['onRequest'],
    report: options.report ?? (() => undefined),
  }
}

/** @throws {TypeError} */
export function checkHandler(handler: unknown): void {
  if (typeof handler !== 'function') throw new TypeError('resumable needs a handler: a function')
}

function checkedPath(path: unknown): string {
  const text = typeof path === 'string' ? path : ''
  const base = text.endsWith('/') ? text : `${text}/`
  const hasDots = base.split('/').some((segment) => segment === '.' || segment === '..')
  check(text !== '' && PATH.test(base) && !hasDots, 'path', path, 'the path of a route, such as /photos')
  return base
}

function checkedHeaders(names: unknown = []): string[] {
  check(Array.isArray(names), 'keepHeaders', names, 'a list of field names')
  return (names as unknown[]).map((name) => {
    const isName = typeof name === 'string' && FIELD_NAME.test(name)
    check(isName, 'keepHeaders', name, 'a list of field names')
    const text = String(name).toLowerCase()
    check(!SECRET.test(text), 'keepHeaders', name, 'without credentials: what is kept lies on the disk')
    return text
  })
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

function check(isRight: boolean, name: string, value: unknown, wanted: string): void {
  if (!isRight) throw new TypeError(`${name} must be ${wanted}, not ${shown(value)}`)
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
