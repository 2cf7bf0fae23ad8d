import type { Dialect } from './dialect.ts'
import type { ScriptedServer } from './scripted-server.ts'
import { scriptedServer } from './scripted-server.ts'

/** Like tusd with its file store: absolute `Location`, 200 on OPTIONS, no checksums, bytes kept as they come. */
export function tusdLike(): Promise<ScriptedServer> {
  return scriptedServer(tusdDialect)
}

export const tusdDialect: Dialect = {
  extensions: ['creation', 'creation-with-upload', 'termination', 'concatenation', 'creation-defer-length'],
  optionsStatus: 200,
  headStatus: 200,
  isLocationAbsolute: true,
  needsVersion: true,
  overrides: ['POST'],
  isBuffering: false,
  chunkedBodies: 'taken',
  statuses: { missingOffset: 400, wrongType: 400, overLength: 413, complete: 204 },
  // tusd gives HEAD the length of the whole upload as `Content-Length`.
  headFields: (upload): Readonly<Record<string, number>> =>
    upload.length === undefined ? {} : { 'Content-Length': upload.length },
}
