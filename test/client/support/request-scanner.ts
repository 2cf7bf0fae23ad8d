/** The head of a request that passes by. */
export interface RequestHead {
  readonly method: string
  readonly path: string
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  readonly hasBody: boolean
}

export type Piece =
  | { readonly kind: 'head'; readonly bytes: Buffer; readonly head: RequestHead }
  | { readonly kind: 'body'; readonly bytes: Buffer; readonly isLast: boolean }

const MAX_HEAD_BYTES = 64 * 1024

/** Finds the requests in the bytes of one HTTP/1.1 connection, without changing any of them. */
export class RequestScanner {
  #pending: Buffer = Buffer.alloc(0)
  #body: BodyEnd | undefined;

  /** Cuts a chunk into heads and pieces of bodies. All bytes come out again, in order. */
  *scan(chunk: Buffer): Generator<Piece, void, undefined> {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#body === undefined) {
        const [head, after] = this.#takeHead(rest)
        rest = after
        if (head !== undefined) yield head
      } else {
        const { taken, isLast } = this.#body.take(rest)
        const bytes = rest.subarray(0, taken)
        rest = rest.subarray(taken)
        if (isLast) this.#body = undefined
        yield { kind: 'body', bytes, isLast }
      }
    }
  }

  #takeHead(chunk: Buffer): [Piece | undefined, Buffer] {
    const all = Buffer.concat([this.#pending, chunk])
    const end = all.indexOf('\r\n\r\n')
    this.#pending = end < 0 ? all : Buffer.alloc(0)
    if (all.length > MAX_HEAD_BYTES && end < 0) throw new Error('this is no HTTP request')
    if (end < 0) return [undefined, Buffer.alloc(0)]
    const bytes = all.subarray(0, end + 4)
    const head = parseHead(bytes.toString('latin1'))
    if (head.hasBody) this.#body = bodyEndOf(head)
    return [{ kind: 'head', bytes, head }, all.subarray(end + 4)]
  }
}

interface BodyEnd {
  /** How many of these bytes still belong to the body; at least one does. */
  take(bytes: Buffer): { readonly taken: number; readonly isLast: boolean }
}

function parseHead(text: string): RequestHead {
  const [requestLine = '', ...lines] = text.split('\r\n').filter((line) => line !== '')
  const [method = '', path = ''] = requestLine.split(' ')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  const hasBody = headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) > 0
  return { method, path, headers, hasBody }
}

function bodyEndOf(head: RequestHead): BodyEnd {
  return head.headers.has('transfer-encoding')
    ? new ChunkedEnd()
    : new CountedEnd(Number(head.headers.get('content-length')))
}

class CountedEnd implements BodyEnd {
  #left: number

  constructor(length: number) {
    this.#left = length
  }

  take(bytes: Buffer): { taken: number; isLast: boolean } {
    const taken = Math.min(this.#left, bytes.length)
    this.#left -= taken
    return { taken, isLast: this.#left === 0 }
  }
}

/** A chunked body: lines with sizes, data, and after the chunk of size 0 trailers up to an empty line. */
class ChunkedEnd implements BodyEnd {
  #line = ''
  #dataLeft = 0
  #isTrailer = false

  take(bytes: Buffer): { taken: number; isLast: boolean } {
    let at = 0
    while (at < bytes.length) {
      if (this.#dataLeft > 0) {
        const step = Math.min(this.#dataLeft, bytes.length - at)
        this.#dataLeft -= step
        at += step
        continue
      }
      const end = bytes.indexOf('\n', at)
      this.#line += bytes.toString('latin1', at, end < 0 ? bytes.length : end)
      if (end < 0) break
      at = end + 1
      if (this.#endLine()) return { taken: at, isLast: true }
    }
    return { taken: bytes.length, isLast: false }
  }

  /** @returns Whether the body ends with this line. */
  #endLine(): boolean {
    const line = this.#line.trim()
    this.#line = ''
    if (this.#isTrailer) return line === ''
    const size = Number(`0x${line.split(';')[0]}`)
    this.#isTrailer = size === 0
    // The line end behind the data belongs to it.
    this.#dataLeft = size === 0 ? 0 : size + 2
    return false
  }
}
