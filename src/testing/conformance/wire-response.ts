/** What went wrong on the wire, below HTTP's meaning. */
export type WireTrouble = 'unreachable' | 'closed' | 'malformed' | 'timeout'

/** A connection that failed, an answer that broke off, or an answer that is not HTTP. */
export class WireError extends Error {
  readonly trouble: WireTrouble
  /** The request in words, once it is known which one met the trouble. */
  sent: string | undefined

  constructor(trouble: WireTrouble, message: string) {
    super(message)
    this.name = 'WireError'
    this.trouble = trouble
  }
}

type HeaderLine = readonly [name: string, value: string]

/** The head of an answer: the status line and its fields as they came, duplicates apart. */
export interface ResponseHead {
  readonly version: string
  readonly status: number
  readonly reason: string
  readonly lines: readonly HeaderLine[]
}

export interface WireResponse extends ResponseHead {
  readonly body: Buffer
  /** Interim (1xx) answers that came before this one. */
  readonly interim: readonly ResponseHead[]
}

/** Bytes as they arrive; the parser below takes from its front. */
export interface ByteSource {
  readonly buffered: Buffer
  take(count: number): Buffer
  /** Waits for more bytes; false once the other side has finished sending. */
  more(): Promise<boolean>
}

const maximumHeadBytes = 256 * 1024
const statusLine = /^HTTP\/(1\.[01]) ([1-9]\d{2})(?: (.*))?$/
const fieldLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/
const chunkLine = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?$/

/** All values of one field, one per line. */
export function headerValues(head: ResponseHead, name: string): string[] {
  const wanted = name.toLowerCase()
  return head.lines.filter(([found]) => found.toLowerCase() === wanted).map(([, value]) => value)
}

/** The value of a field, several lines joined as RFC 9110 §5.3 says; `undefined` if it is absent. */
export function headerValue(head: ResponseHead, name: string): string | undefined {
  const values = headerValues(head, name)
  return values.length === 0 ? undefined : values.join(', ')
}

/** Reads one final answer; interim ones on the way go to `onInterim` as soon as they are there. */
export async function readResponse(
  source: ByteSource,
  method: string,
  onInterim: (head: ResponseHead) => void,
): Promise<WireResponse> {
  const interim: ResponseHead[] = []
  for (;;) {
    const head = await readHead(source)
    if (head.status >= 200) return { ...head, interim, body: await readBody(source, head, method) }
    interim.push(head)
    onInterim(head)
  }
}

async function readHead(source: ByteSource): Promise<ResponseHead> {
  const [first = '', ...rest] = (await readUntil(source, '\r\n\r\n', maximumHeadBytes)).split('\r\n')
  const match = statusLine.exec(first)
  if (match === null) throw malformed(`status line ${JSON.stringify(first.slice(0, 80))}`)
  const [, version = '', status = '', reason = ''] = match
  return { version, status: Number(status), reason, lines: rest.map(parseField) }
}

function parseField(line: string): HeaderLine {
  const match = fieldLine.exec(line)
  const [, name, value] = match ?? []
  if (name === undefined || value === undefined) {
    throw malformed(`header line ${JSON.stringify(line.slice(0, 80))}`)
  }
  // A bare CR, LF or NUL inside a value is how one header smuggles another.
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)) {
    throw malformed(`control character in ${name}: ${JSON.stringify(value.slice(0, 80))}`)
  }
  return [name, value]
}

async function readBody(source: ByteSource, head: ResponseHead, method: string): Promise<Buffer> {
  if (method === 'HEAD' || head.status === 204 || head.status === 304) return Buffer.alloc(0)
  const coding = headerValue(head, 'transfer-encoding')
  const lengths = headerValues(head, 'content-length')
  if (coding !== undefined) {
    if (lengths.length > 0) throw malformed('Content-Length and Transfer-Encoding in one answer')
    if (coding.toLowerCase() !== 'chunked') throw malformed(`Transfer-Encoding: ${coding}`)
    return await readChunks(source)
  }
  const [length] = lengths
  if (length === undefined) return await readToEnd(source)
  if (lengths.length > 1 || !/^\d{1,12}$/.test(length))
    throw malformed(`Content-Length: ${lengths.join(', ')}`)
  return await readExactly(source, Number(length))
}

async function readChunks(source: ByteSource): Promise<Buffer> {
  const parts: Buffer[] = []
  for (;;) {
    const line = await readUntil(source, '\r\n', 1024)
    const size = chunkLine.exec(line)?.[1]
    if (size === undefined) throw malformed(`chunk size ${JSON.stringify(line.slice(0, 80))}`)
    const bytes = Number(`0x${size}`)
    if (bytes === 0) break
    parts.push(await readExactly(source, bytes))
    if ((await readUntil(source, '\r\n', 2)) !== '') throw malformed('chunk longer than its size')
  }
  while ((await readUntil(source, '\r\n', maximumHeadBytes)) !== '') continue
  return Buffer.concat(parts)
}

async function readToEnd(source: ByteSource): Promise<Buffer> {
  while (await source.more()) continue
  return source.take(source.buffered.length)
}

async function readExactly(source: ByteSource, count: number): Promise<Buffer> {
  while (source.buffered.length < count) {
    if (!(await source.more())) throw broken(source, `${count} bytes of a body`)
  }
  return source.take(count)
}

async function readUntil(source: ByteSource, mark: string, limit: number): Promise<string> {
  for (;;) {
    const at = source.buffered.indexOf(mark)
    if (at >= 0) {
      const text = source.take(at + mark.length).toString('latin1')
      return text.slice(0, at)
    }
    if (source.buffered.length > limit) throw malformed(`no end of line within ${limit} bytes`)
    if (!(await source.more())) throw broken(source, 'an answer')
  }
}

function malformed(what: string): WireError {
  return new WireError('malformed', `the answer is not valid HTTP/1.1: ${what}`)
}

function broken(source: ByteSource, wanted: string): WireError {
  const got = source.buffered.length
  return new WireError('closed', `the connection closed after ${got} bytes where ${wanted} was expected`)
}
