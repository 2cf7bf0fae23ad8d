/** Fields to send: a list sends the field once per item, `null` leaves out one that would be sent by default. */
export type Fields = Readonly<Record<string, string | readonly string[] | null>>

export interface RequestShape {
  readonly method: string
  /** The request target as it goes on the wire, valid or not. */
  readonly target: string
  readonly version?: '1.0' | '1.1'
  readonly fields?: Fields
  /** A body with `Content-Length`. */
  readonly body?: string | Uint8Array
  /** A body in chunks, one per item. */
  readonly chunks?: readonly (string | Uint8Array)[]
  /** Sent after the chunks. */
  readonly trailers?: Readonly<Record<string, string>>
}

export interface ComposedRequest {
  readonly head: string
  readonly payload: Buffer
  /** For people: what was sent, without the fields of every request. */
  readonly summary: string
}

/** Text as UTF-8 bytes in a latin1 string, the form in which heads are written. */
export function rawUtf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** Builds the bytes of a request. `defaults` are the fields of every request; `shape.fields` win over them. */
export function compose(shape: RequestShape, defaults: Fields): ComposedRequest {
  const payload = shape.chunks === undefined ? bytesOf(shape.body ?? '') : encodeChunks(shape)
  const lines = [...mergeFields({ ...defaults, ...framing(shape) }, shape.fields ?? {})]
  const head = [`${shape.method} ${shape.target} HTTP/${shape.version ?? '1.1'}`, ...lines, '', ''].join(
    '\r\n',
  )
  const own = new Set(Object.keys(shape.fields ?? {}).map((name) => name.toLowerCase()))
  const shown = lines.filter((line) => own.has(line.slice(0, line.indexOf(':')).toLowerCase()))
  const without = Object.entries(shape.fields ?? {}).filter(([, value]) => value === null)
  const body =
    shape.chunks === undefined ? bytesOf(shape.body ?? '') : Buffer.concat(shape.chunks.map(bytesOf))
  const summary = [
    `${shape.method} ${clip(shape.target)}`,
    ...shown.map((line) => `  ${clip(line)}`),
    ...without.map(([name]) => `  (without ${name})`),
    ...Object.entries(shape.trailers ?? {}).map(([name, value]) => `  (trailer) ${name}: ${clip(value)}`),
    ...(body.length > 0 ? [`  (${describeBody(body)})`] : []),
  ]
  return { head, payload, summary: summary.join('\n') }
}

/** A body in words: its size, and its text while that is short and printable. */
export function describeBody(body: Buffer): string {
  const size = `${body.length} ${body.length === 1 ? 'byte' : 'bytes'}`
  const text = body.toString('latin1')
  return body.length <= 120 && /^[\t\r\n\u0020-\u007e]*$/.test(text)
    ? `${size}: ${JSON.stringify(text)}`
    : size
}

function framing({ method, body, chunks, trailers, fields = {} }: RequestShape): Fields {
  const own = Object.keys(fields).some((name) => name.toLowerCase() === 'transfer-encoding')
  if (own && chunks === undefined) return {}
  if (chunks !== undefined) {
    const names = Object.keys(trailers ?? {})
    return { 'Transfer-Encoding': 'chunked', ...(names.length > 0 ? { Trailer: names.join(', ') } : {}) }
  }
  if (body !== undefined) return { 'Content-Length': String(bytesOf(body).length) }
  return method === 'POST' || method === 'PATCH' || method === 'PUT' ? { 'Content-Length': '0' } : {}
}

function* mergeFields(defaults: Fields, own: Fields): Generator<string> {
  const overridden = new Set(Object.keys(own).map((name) => name.toLowerCase()))
  const kept = Object.entries(defaults).filter(([name]) => !overridden.has(name.toLowerCase()))
  for (const [name, value] of [...kept, ...Object.entries(own)]) {
    if (value === null) continue
    for (const item of typeof value === 'string' ? [value] : value) yield `${name}: ${item}`
  }
}

function encodeChunks({ chunks = [], trailers = {} }: RequestShape): Buffer {
  const parts = chunks.map(bytesOf).filter((chunk) => chunk.length > 0)
  const encoded = parts.flatMap((chunk) => [`${chunk.length.toString(16)}\r\n`, chunk, '\r\n'])
  const tail = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([...encoded, '0\r\n', ...tail, '\r\n'].map(bytesOf))
}

function bytesOf(data: string | Uint8Array): Buffer {
  return typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data)
}

function clip(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are made visible
  const visible = text.replaceAll(/[\u0000-\u001f\u007f]/g, (char) => JSON.stringify(char).slice(1, -1))
  return visible.length <= 160 ? visible : `${visible.slice(0, 120)}… (${visible.length} characters)`
}
