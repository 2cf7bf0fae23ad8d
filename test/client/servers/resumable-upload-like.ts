import type { ScriptedServer } from './scripted-server.ts'
import { scriptedServer } from './scripted-server.ts'

/**
 * Like resumable-upload on Python's `http.server`: relative `Location`, sha1 only and other algorithms ignored, bodies
 * read by their `Content-Length` (a chunked one counts as empty), uploads that expire.
 */
export function resumableUploadLike(): Promise<ScriptedServer> {
  return scriptedServer({
    extensions: ['creation', 'creation-with-upload', 'termination', 'checksum', 'expiration'],
    optionsStatus: 204,
    headStatus: 200,
    isLocationAbsolute: false,
    needsVersion: true,
    overrides: [],
    isBuffering: true,
    chunkedBodies: 'ignored',
    checksum: { algorithms: ['sha1'], mismatchStatus: 460, isUnknownIgnored: true },
    statuses: { missingOffset: 400, wrongType: 415, overLength: 400, complete: 403 },
    writeFields: () => ({ 'Upload-Expires': new Date(Date.now() + 86_400_000).toUTCString() }),
  })
}
