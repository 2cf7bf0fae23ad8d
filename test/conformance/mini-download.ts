import type { Exchange } from './mini-server.ts'
import { contentOf, decoded, isComplete, Refusal, type MiniUpload } from './mini-state.ts'

/** GET of an upload: the file with ranges and conditions, or the offset while it is unfinished. */
export function serveDownload({ res, fields, options }: Exchange, upload: MiniUpload): void {
  if (!isComplete(upload)) {
    res.statusCode = 204
    res.setHeader('Upload-Offset', String(upload.data.length))
    return
  }
  const content = contentOf(upload, options.defect === 'reversed-concat')
  const tag = `"${upload.id}"`
  res.setHeader('ETag', tag)
  res.setHeader('Accept-Ranges', 'bytes')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.setHeader('Content-Security-Policy', 'sandbox')
  res.setHeader(
    'Content-Disposition',
    disposition(decoded(upload, 'filename'), options.defect === 'raw-disposition'),
  )
  const none = fields['if-none-match']?.join(',')
  if (none !== undefined && (none === '*' || none.includes(tag))) {
    res.statusCode = 304
    return
  }
  const conditional = fields['if-range']?.[0]
  const range =
    conditional === undefined || conditional === tag
      ? parseRange(fields['range']?.[0], content.length)
      : undefined
  const shift = options.defect === 'range-off-by-one' ? 1 : 0
  const [from, to] = range ?? [0, content.length - 1]
  const body = content.subarray(from, to + 1 - (range === undefined ? 0 : shift))
  res.statusCode = range === undefined ? 200 : 206
  if (range !== undefined) res.setHeader('Content-Range', `bytes ${from}-${to}/${content.length}`)
  res.setHeader('Content-Length', String(body.length))
  res.write(body)
}

function parseRange(value: string | undefined, size: number): [number, number] | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(value ?? '')
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  if (first !== '' && last !== '' && Number(first) > Number(last)) return undefined
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (from > to) throw new Refusal(416, 'range', { 'Content-Range': `bytes */${size}` })
  return [from, to]
}

function disposition(name: string | undefined, raw: boolean): string {
  if (name === undefined) return 'attachment'
  if (raw) return `attachment; filename="${name.replaceAll(/[^ -~]/g, '?')}"`
  const base = name.split(/[/\\]/).at(-1) ?? ''
  const encoded = encodeURIComponent(base.replaceAll(/\p{C}/gu, '_')).replaceAll("'", '%27')
  return `attachment; filename*=UTF-8''${encoded}`
}
