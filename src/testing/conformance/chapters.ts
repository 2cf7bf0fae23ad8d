import type { Chapter } from './case.ts'
import { badInput } from './cases/bad-input.ts'
import { checksum } from './cases/checksum.ts'
import { concatenation } from './cases/concatenation.ts'
import { cors } from './cases/cors.ts'
import { creation } from './cases/creation.ts'
import { creationWithUpload } from './cases/creation-with-upload.ts'
import { deferLength } from './cases/defer-length.ts'
import { download } from './cases/download.ts'
import { expiration } from './cases/expiration.ts'
import { head } from './cases/head.ts'
import { interrupted } from './cases/interrupted.ts'
import { metadata } from './cases/metadata.ts'
import { options } from './cases/options.ts'
import { override } from './cases/override.ts'
import { patch } from './cases/patch.ts'
import { termination } from './cases/termination.ts'
import { version } from './cases/version.ts'

/** The whole suite in the order of the text. */
export const chapters: readonly Chapter[] = [
  version,
  options,
  cors,
  head,
  patch,
  interrupted,
  override,
  creation,
  deferLength,
  metadata,
  creationWithUpload,
  expiration,
  checksum,
  termination,
  concatenation,
  badInput,
  download,
]
