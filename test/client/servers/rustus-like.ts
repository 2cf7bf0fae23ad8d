import type { ScriptedServer } from './scripted-server.ts'
import { scriptedServer } from './scripted-server.ts'

export interface RustusOptions {
  /** @default 256 KiB, as the server's own default */
  readonly maxBodyBytes?: number
  /** What a client sees of a body over the limit: the 413, or a connection that is reset before it. */
  readonly overLimit?: 'answer' | 'cut'
  /** Checksums are refused with 417 whatever they are, though announced. @default only wrong ones are */
  readonly refusesChecksums?: boolean
}

/** Like rustus: bodies in memory and small, 417 for checksums, nothing kept of a body that breaks off, no locks. */
export function rustusLike(options: RustusOptions = {}): Promise<ScriptedServer> {
  return scriptedServer({
    extensions: [
      'getting',
      'creation',
      'termination',
      'creation-with-upload',
      'creation-defer-length',
      'concatenation',
      'checksum',
    ],
    optionsStatus: 200,
    headStatus: 200,
    isLocationAbsolute: true,
    needsVersion: false,
    overrides: ['POST', 'GET', 'PATCH', 'DELETE', 'HEAD'],
    isBuffering: true,
    chunkedBodies: 'taken',
    maxBodyBytes: options.maxBodyBytes ?? 262_144,
    overLimit: options.overLimit ?? 'answer',
    checksum: {
      algorithms: ['md5', 'sha1', 'sha256', 'sha512'],
      mismatchStatus: 417,
      isUnknownIgnored: false,
    },
    statuses: { missingOffset: 415, wrongType: 415, overLength: 400, complete: 400 },
    headFields: () => ({ 'Upload-Created': 1_700_000_000 }),
    refuseCreation: (exchange) =>
      exchange.header('upload-length') === '0'
        ? { status: 400, body: 'Upload-Length should be greater than zero' }
        : undefined,
    intercept(exchange) {
      const isRefused = options.refusesChecksums === true && exchange.header('upload-checksum') !== undefined
      if (!isRefused) return undefined
      exchange.request.resume()
      exchange.answer(417, {}, 'Wrong checksum')
      return 'done'
    },
  })
}
