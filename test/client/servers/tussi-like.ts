import type { ScriptedServer } from './scripted-server.ts'
import { scriptedServer } from './scripted-server.ts'

export interface TussiOptions {
  /** @default 10 MiB */
  readonly maxBodyBytes?: number
}

/**
 * Like tussi: creation only, 204 on HEAD, bodies of known length and in memory, the wanted offset in a 409, and an
 * upload that is complete has been moved away: HEAD and PATCH answer 404.
 */
export function tussiLike(options: TussiOptions = {}): Promise<ScriptedServer> {
  return scriptedServer({
    extensions: ['creation'],
    optionsStatus: 204,
    headStatus: 204,
    isLocationAbsolute: true,
    needsVersion: true,
    overrides: ['POST', 'GET', 'PATCH', 'DELETE', 'HEAD'],
    isBuffering: true,
    chunkedBodies: 'refused',
    maxBodyBytes: options.maxBodyBytes ?? 10 * 1024 * 1024,
    statuses: { missingOffset: 400, wrongType: 415, overLength: 413, complete: 404 },
    isOffsetInConflict: true,
    refuseCreation: (exchange) =>
      hasPlainName(exchange.header('upload-metadata'))
        ? undefined
        : { status: 400, body: 'filename must be printable ASCII' },
    onComplete: (upload) => (upload.isGone = true),
  })
}

function hasPlainName(metadata = ''): boolean {
  const [, value = ''] =
    metadata
      .split(',')
      .map((pair) => pair.trim().split(' '))
      .find(([key]) => key === 'filename') ?? []
  return /^[\x20-\x7e]*$/.test(Buffer.from(value, 'base64').toString())
}
