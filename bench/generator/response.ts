export interface RawResponse {
  status: number
  /** A header by its lower-case name. */
  field(name: string): string | undefined
  /** The beginning of an error's body, for the message. */
  text: string
  bodyBytes: number
}

export interface Expectation {
  head: boolean
  onBody?: ((chunk: Buffer) => void) | undefined
  onResponse: (response: RawResponse) => void
}

type Body =
  | { kind: 'none' }
  | { kind: 'counted'; left: number }
  | { kind: 'chunked'; left: number; line: string; ends: boolean }
  | { kind: 'until-close' }

interface Head {
  status: number
  field(name: string): string | undefined
}

function parseHead(text: string): Head {
  const lower = text.toLowerCase()
  return {
    status: Number(text.slice(9, 12)),
    field(name) {
      const at = lower.indexOf(`\r\n${name}:`)
      if (at === -1) return undefined
      const end = text.indexOf('\r\n', at + 2)
      return text.slice(at + name.length + 3, end === -1 ? undefined : end).trim()
    },
  }
}

function bodyOf(head: Head, toHead: boolean): Body {
  if (toHead || head.status === 204 || head.status === 304) return { kind: 'none' }
  if (head.field('transfer-encoding')?.toLowerCase().includes('chunked') === true) {
    return { kind: 'chunked', left: 0, line: '', ends: false }
  }
  const length = head.field('content-length')
  if (length === undefined) return { kind: 'until-close' }
  const left = Number(length)
  return left === 0 ? { kind: 'none' } : { kind: 'counted', left }
}

/** Reads the answers of one HTTP/1.1 connection, one request at a time (RFC 9112). */
export class ResponseReader {
  #expected: Expectation | undefined
  #text = ''
  #head: Head | undefined
  #body: Body = { kind: 'none' }
  #bodyBytes = 0
  #errorText = ''

  expect(expectation: Expectation): void {
    this.#expected = expectation
    this.#text = ''
    this.#head = undefined
    this.#bodyBytes = 0
    this.#errorText = ''
  }

  push(chunk: Buffer): void {
    if (this.#expected === undefined) return
    if (this.#head === undefined) this.#pushHead(chunk)
    else this.#pushBody(chunk)
  }

  /** The connection ended. @returns whether that ended the answer too. */
  end(): boolean {
    if (this.#head === undefined || this.#body.kind !== 'until-close') return false
    this.#done(this.#head)
    return true
  }

  #pushHead(chunk: Buffer): void {
    const before = this.#text.length
    this.#text += chunk.toString('latin1')
    const end = this.#text.indexOf('\r\n\r\n')
    if (end === -1) return
    const head = parseHead(this.#text.slice(0, end))
    const rest = chunk.subarray(end + 4 - before)
    this.#text = ''
    if (head.status >= 200) {
      this.#head = head
      this.#body = bodyOf(head, this.#expected?.head === true)
      if (this.#body.kind === 'none') this.#done(head)
      else if (rest.length > 0) this.#pushBody(rest)
    } else if (rest.length > 0) {
      this.#pushHead(rest)
    }
  }

  #pushBody(chunk: Buffer): void {
    const body = this.#body
    if (body.kind === 'chunked') {
      this.#pushChunked(chunk, body)
      return
    }
    if (body.kind === 'counted') {
      const mine = chunk.subarray(0, body.left)
      body.left -= mine.length
      this.#deliver(mine)
      if (body.left === 0 && this.#head !== undefined) this.#done(this.#head)
    } else {
      this.#deliver(chunk)
    }
  }

  #pushChunked(chunk: Buffer, body: Extract<Body, { kind: 'chunked' }>): void {
    let rest = chunk
    while (rest.length > 0) {
      if (body.left > 0) {
        const mine = rest.subarray(0, body.left)
        body.left -= mine.length
        this.#deliver(mine)
        rest = rest.subarray(mine.length)
        continue
      }
      const newline = rest.indexOf(10)
      body.line += rest.toString('latin1', 0, newline === -1 ? rest.length : newline)
      if (newline === -1) return
      rest = rest.subarray(newline + 1)
      if (this.#endLine(body)) return
    }
  }

  /** Takes one line of the chunked framing. @returns true after the last one. */
  #endLine(body: Extract<Body, { kind: 'chunked' }>): boolean {
    const line = body.line.trim()
    body.line = ''
    if (body.ends) {
      if (line === '' && this.#head !== undefined) this.#done(this.#head)
      return line === ''
    }
    if (line === '') return false
    body.left = Number(`0x${line.split(';')[0] ?? ''}`)
    body.ends = body.left === 0
    return false
  }

  #deliver(chunk: Buffer): void {
    this.#bodyBytes += chunk.length
    this.#expected?.onBody?.(chunk)
    if ((this.#head?.status ?? 0) >= 400 && this.#errorText.length < 200) {
      this.#errorText += chunk.toString('utf8', 0, 200)
    }
  }

  #done(head: Head): void {
    const expected = this.#expected
    this.#expected = undefined
    expected?.onResponse({ ...head, text: this.#errorText.trim(), bodyBytes: this.#bodyBytes })
  }
}
