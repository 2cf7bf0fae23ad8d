import type { Exchange, ScriptedServer } from './scripted-server.ts'
import { scriptedServer } from './scripted-server.ts'
import { tusdDialect } from './tusd-like.ts'

export type Misbehaviour =
  /** PATCH takes the body and answers 204 with the offset of before. */
  | 'stuck-offset'
  /** PATCH answers 204 with an offset past what was sent. */
  | 'offset-ahead'
  /** PATCH stores half of the body and says so: legal, and to be gone on from. */
  | 'takes-half'
  /** 2xx without `Upload-Offset`, on PATCH and HEAD. */
  | 'no-offset'
  /** 201 without `Location`. */
  | 'no-location'
  /** A page with 200, whatever is asked. */
  | 'html'
  /** 307 to where the request went. */
  | 'redirect-loop'
  /** HEAD names another length than the upload was created with. */
  | 'other-length'
  /** The connection is closed instead of the answer to a PATCH that was stored. */
  | 'swallowed-204'
  /** The first PATCH breaks off and after that no upload is known any more: 404. */
  | 'amnesia'
  /** PATCH is read and never answered. */
  | 'never-answers'
  /** The connection ends in the middle of the answer to a PATCH. */
  | 'broken-answer'

export interface MisbehavingOptions {
  /** How often, where it is not for ever. @default no limit; once for `swallowed-204` and `broken-answer` */
  readonly times?: number
}

/** A server like tusd with one flaw. */
export function misbehavingServer(
  flaw: Misbehaviour,
  options: MisbehavingOptions = {},
): Promise<ScriptedServer> {
  let left = options.times ?? (ONCE.has(flaw) ? 1 : Infinity)
  const act = FLAWS[flaw]
  return scriptedServer({
    ...tusdDialect,
    async intercept(exchange) {
      if (left === 0) return undefined
      const isDone = await act(exchange)
      if (isDone) left -= 1
      return isDone ? 'done' : undefined
    },
  })
}

const ONCE: ReadonlySet<Misbehaviour> = new Set(['swallowed-204', 'broken-answer'])

/** Each says whether it took the request over. */
const FLAWS: Readonly<Record<Misbehaviour, (exchange: Exchange) => boolean | Promise<boolean>>> = {
  'stuck-offset': async (exchange) => {
    if (exchange.method !== 'PATCH') return false
    await bodyOf(exchange)
    exchange.answer(204, { 'Upload-Offset': exchange.header('upload-offset') ?? '' })
    return true
  },
  'offset-ahead': async (exchange) => {
    if (exchange.method !== 'PATCH') return false
    const body = await bodyOf(exchange)
    exchange.answer(204, { 'Upload-Offset': Number(exchange.header('upload-offset')) + body.length + 1 })
    return true
  },
  'takes-half': async (exchange) => {
    const upload = exchange.world.uploads.get(exchange.path)
    if (exchange.method !== 'PATCH' || upload === undefined) return false
    if (exchange.header('upload-offset') !== String(upload.offset)) return false
    const body = await bodyOf(exchange)
    upload.append(body.subarray(0, Math.ceil(body.length / 2)))
    exchange.answer(204, { 'Upload-Offset': upload.offset })
    return true
  },
  'no-offset': async (exchange) => {
    if (exchange.method !== 'PATCH' && exchange.method !== 'HEAD') return false
    await bodyOf(exchange)
    exchange.answer(exchange.method === 'HEAD' ? 200 : 204)
    return true
  },
  'no-location': async (exchange) => {
    if (exchange.method !== 'POST') return false
    await bodyOf(exchange)
    exchange.answer(201)
    return true
  },
  html: async (exchange) => {
    await bodyOf(exchange)
    exchange.answer(200, { 'Content-Type': 'text/html' }, '<!doctype html><title>Welcome</title>')
    return true
  },
  'redirect-loop': async (exchange) => {
    await bodyOf(exchange)
    exchange.answer(307, { Location: exchange.path })
    return true
  },
  'other-length': (exchange) => {
    const upload = exchange.world.uploads.get(exchange.path)
    if (exchange.method !== 'HEAD' || upload === undefined) return false
    exchange.answer(200, { 'Upload-Offset': upload.offset, 'Upload-Length': (upload.length ?? 0) + 1000 })
    return true
  },
  'swallowed-204': async (exchange) => {
    const upload = exchange.world.uploads.get(exchange.path)
    if (exchange.method !== 'PATCH' || upload === undefined) return false
    upload.append(await bodyOf(exchange))
    exchange.request.socket.destroy()
    return true
  },
  amnesia: async (exchange) => {
    const upload = exchange.world.uploads.get(exchange.path)
    if (exchange.method !== 'PATCH' || upload === undefined || forgetful.has(exchange.world)) return false
    forgetful.add(exchange.world)
    // Leaving the loop takes the socket from the request.
    const { socket } = exchange.request
    for await (const chunk of exchange.request as AsyncIterable<Buffer>) {
      upload.append(chunk)
      if (upload.offset > (upload.length ?? 0) / 2) break
    }
    for (const one of exchange.world.uploads.values()) one.isGone = true
    socket.destroy()
    return true
  },
  'never-answers': async (exchange) => {
    if (exchange.method !== 'PATCH') return false
    await bodyOf(exchange)
    return true
  },
  'broken-answer': async (exchange) => {
    const upload = exchange.world.uploads.get(exchange.path)
    if (exchange.method !== 'PATCH' || upload === undefined) return false
    upload.append(await bodyOf(exchange))
    exchange.response.writeHead(200, { 'Upload-Offset': upload.offset, 'Content-Length': 1000 })
    exchange.response.write('half an answ')
    setImmediate(() => exchange.request.socket.resetAndDestroy())
    return true
  },
}

/** Servers that have lost their memory already; it happens once. */
const forgetful = new WeakSet<object>()

async function bodyOf(exchange: Exchange): Promise<Buffer> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of exchange.request) chunks.push(chunk as Buffer)
  } catch {
    // It broke off: what came is what there is.
  }
  return Buffer.concat(chunks)
}
