import * as z from 'zod'
import { onOff, path, wholeNumber } from '../setting-types.ts'
import type { SettingsShape } from '../settings.ts'
import { optionalSetting, setting } from '../settings.ts'
import type { ConnectionConfig } from './connection-settings.ts'
import { connectionOf, connectionShape, checkPair } from './connection-settings.ts'

/** For commands that ask a server something and are done. */
export interface CallConfig {
  readonly connection: ConnectionConfig
  readonly retries: number
  readonly json: boolean
  /** Where unfinished uploads are remembered; `undefined`: the usual place. */
  readonly state: string | undefined
}

const shape = {
  retries: setting(wholeNumber(0, 1000), {
    group: 'Connection:',
    placeholder: 'N',
    default: '3',
    description: 'give up after this many failures in a row',
  }),
  state: optionalSetting(path, {
    group: 'Connection:',
    placeholder: 'PATH',
    defaultIs: '~/.local/state/carryon/uploads.db',
    description: 'file or directory in which unfinished uploads are remembered',
  }),
  json: setting(onOff, { group: 'Output:', default: 'false', description: 'print JSON' }),
  ...connectionShape,
} satisfies SettingsShape

/** The settings of `info` and `delete`. */
export const callSettings: SettingsShape = shape

/** Text values of {@link callSettings} to a checked configuration. */
export const callSchema: z.ZodType<CallConfig> = z
  .object(shape)
  .superRefine(checkPair)
  .transform((given) => ({
    connection: connectionOf(given),
    retries: given.retries,
    json: given.json,
    state: given.state,
  }))
