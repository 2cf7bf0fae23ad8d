import { finalName } from '../stores/file/final-name.ts'
import type { SettingType } from './setting-types.ts'
import { readAs } from './setting-types.ts'
import { DURATION_RULE, parseDurationMs } from './units.ts'

const HOUR_MS = 3_600_000
/** Dates of JavaScript end in the year 275760, and no disk lives as long as this. */
const LONGEST_EXPIRY_MS = 36_500 * 24 * HOUR_MS

/** How long something lives; `never` has no time. */
export const expireAfter: SettingType<{ readonly ms: number | undefined }> = readAs(
  `${DURATION_RULE}, at most 36500d, or never`,
  (typed) => {
    if (typed === 'never') return { ms: undefined }
    const ms = parseDurationMs(typed)
    return ms === undefined || ms === 0 || ms > LONGEST_EXPIRY_MS ? undefined : { ms }
  },
)

/** Path of the creation URL; a slash at its end is added. */
export const basePath: SettingType<string> = readAs('a path such as /files/', (typed) => {
  const whole = typed.endsWith('/') ? typed : `${typed}/`
  // Clients resolve dots before they send: such a path is never asked for.
  if (/\/\.{1,2}\//.test(whole)) return undefined
  return /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]+\/)*$/.test(whole) ? whole : undefined
})

/** A template for names of finished files. */
export const completedName: SettingType<string> = readAs(
  'a plain file name of text and {id}, {name}, {ext}, {date}',
  (typed) => {
    try {
      finalName(typed)
      return typed
    } catch {
      return undefined
    }
  },
)
