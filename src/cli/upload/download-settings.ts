import * as z from 'zod'
import { path, wholeNumber } from '../setting-types.ts'
import type { SettingsShape } from '../settings.ts'
import { optionalSetting, setting } from '../settings.ts'
import type { ConnectionConfig } from './connection-settings.ts'
import { connectionOf, connectionShape, checkPair } from './connection-settings.ts'
import type { OutputConfig } from './output-settings.ts'
import { outputShape } from './output-settings.ts'

/** Everything `carryon download` can be told. */
export interface DownloadConfig {
  readonly connection: ConnectionConfig
  readonly retries: number
  /** `-`: standard output; `undefined`: the name that the server gives. */
  readonly target: string | undefined
  readonly output: OutputConfig
}

const shape = {
  output: optionalSetting(path, {
    group: 'Files:',
    short: 'o',
    placeholder: 'FILE',
    defaultIs: 'the name the server gives',
    description: 'where to; -: standard output',
  }),
  retries: setting(wholeNumber(0, 1000), {
    group: 'Connection:',
    placeholder: 'N',
    default: '20',
    description: 'give up after this many failures in a row, without a byte between them',
  }),
  ...connectionShape,
  ...outputShape,
} satisfies SettingsShape

/** The settings of `download`. */
export const downloadSettings: SettingsShape = shape

/** Text values of {@link downloadSettings} to a checked configuration. */
export const downloadSchema: z.ZodType<DownloadConfig> = z
  .object(shape)
  .superRefine(checkPair)
  .transform((given) => ({
    connection: connectionOf(given),
    retries: given.retries,
    target: given.output,
    output: { json: given.json, quiet: given.quiet, progress: given.progress },
  }))
