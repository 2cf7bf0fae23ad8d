import type * as z from 'zod'
import { oneOf, onOff } from '../setting-types.ts'
import { setting } from '../settings.ts'

const PROGRESS_KINDS = ['auto', 'bar', 'plain', 'none'] as const

/** How a transfer is shown. */
export interface OutputConfig {
  readonly progress: (typeof PROGRESS_KINDS)[number]
  readonly json: boolean
  readonly quiet: boolean
}

type Shape = { readonly [Key in keyof OutputConfig]: z.ZodType<OutputConfig[Key], string | undefined> }

const group = 'Output:'

/** The shape, to be a part of a command's own. */
export const outputShape: Shape = {
  progress: setting(oneOf(PROGRESS_KINDS), {
    group,
    placeholder: 'KIND',
    default: 'auto',
    description: 'bar, plain or none; auto: bar on a terminal, else plain',
  }),
  json: setting(onOff, { group, default: 'false', description: 'print JSON lines on standard output' }),
  quiet: setting(onOff, {
    group,
    short: 'q',
    default: 'false',
    description: 'print only results and errors',
  }),
}
