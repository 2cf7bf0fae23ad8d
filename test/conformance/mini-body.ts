import type { Exchange } from './mini-server.ts'
import { matches, maximumBytes, parseChecksum, Refusal, type MiniUpload } from './mini-state.ts'

interface Checksum {
  readonly name: string
  readonly digest: string
}

type End = 'complete' | 'cut' | 'stopped' | 'stalled' | 'too long'

/**
 * Takes the body of a request into an upload: at once as it arrives, or all together after its checksum was
 * verified. Sets the length, if one came along, when the first rule that could refuse it has passed.
 */
export async function receive(
  exchange: Exchange,
  upload: MiniUpload,
  checksum: Checksum | undefined,
  length?: number,
): Promise<void> {
  let done: () => void = () => undefined
  const finished = new Promise<void>((resolve) => {
    done = resolve
  })
  const halt = new AbortController()
  const stop = async (): Promise<void> => {
    if (!exchange.req.complete) halt.abort()
    await finished
  }
  if (exchange.options.defect !== 'mixes-writers') upload.stop = stop
  try {
    await store(exchange, { upload, checksum, length, signal: halt.signal })
  } finally {
    if (upload.stop === stop) upload.stop = undefined
    done()
  }
}

interface Work {
  readonly upload: MiniUpload
  readonly checksum: Checksum | undefined
  readonly length: number | undefined
  readonly signal: AbortSignal
}

async function store(exchange: Exchange, { upload, checksum, length, signal }: Work): Promise<void> {
  const { req, options, goOn } = exchange
  const trailing = req.headers['trailer']?.toLowerCase().includes('upload-checksum') ?? false
  const held: Buffer[] = []
  const verify = checksum !== undefined || (trailing && options.defect !== 'ignores-trailer')
  const visible = !verify || options.defect === 'shows-unverified'
  const limit = length ?? upload.length ?? maximumBytes
  const start = upload.data
  if (!verify && length !== undefined) upload.length = length
  goOn()
  const end = await read(exchange, signal, (chunk) => {
    held.push(chunk)
    const size = start.length + held.reduce((sum, { length }) => sum + length, 0)
    const tooLong = size > limit && options.defect !== 'stores-beyond-length'
    if (visible)
      upload.data = Buffer.concat([
        upload.data,
        tooLong ? chunk.subarray(0, limit - upload.data.length) : chunk,
      ])
    return !tooLong
  })
  if (options.defect === 'loses-cut-bytes' && end === 'cut') upload.data = start
  if (options.defect === 'drops-byte' && held.length > 1) upload.data = upload.data.subarray(0, -1)
  if (end === 'too long') throw new Refusal(413, 'beyond the length', { Connection: 'close' })
  if (end === 'stopped' || end === 'stalled' || end === 'cut') {
    if (verify && end !== 'stopped') upload.data = start
    req.socket.destroy()
    throw new Refusal(499, end)
  }
  if (!verify) return
  const trailers = req.trailersDistinct['upload-checksum']
  const late = trailing ? parseChecksum(trailers ?? ['']) : undefined
  if (checksum !== undefined && late !== undefined && checksum.digest !== late.digest)
    throw new Refusal(400, 'two digests')
  const promised = late ?? checksum
  const body = Buffer.concat(held)
  if (promised !== undefined && !matches(promised, body) && options.defect !== 'stores-mismatch') {
    upload.data = start
    throw new Refusal(460, 'checksum mismatch')
  }
  if (length !== undefined) upload.length = length
  upload.data = Buffer.concat([start, body])
}

async function read(
  { req, options }: Exchange,
  signal: AbortSignal,
  take: (chunk: Buffer) => boolean,
): Promise<End> {
  return await new Promise<End>((resolve) => {
    let timer: NodeJS.Timeout | undefined
    const end = (how: End): void => {
      clearTimeout(timer)
      req.off('data', onData)
      resolve(how)
    }
    signal.addEventListener('abort', () => end('stopped'))
    const wait = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => end('stalled'), options.stallMs ?? 30_000)
    }
    const onData = (chunk: Buffer): void => {
      wait()
      if (!take(chunk)) end('too long')
    }
    wait()
    req.on('data', onData)
    req.once('end', () => end('complete'))
    req.once('close', () => end('cut'))
    if (req.readableEnded) end('complete')
  })
}
