import type { FormOptions } from './forms.ts'
import { FORMS } from './forms.ts'
import type { Handling } from './handling.ts'
import type { Served } from './served.ts'
import { served } from './served.ts'

/** A handler of Node's `http`, where the form does not matter. */
export function handler(handling: Handling, options: Partial<FormOptions> = {}): Promise<Served> {
  const form = FORMS.find(({ name }) => name === 'node:http')
  if (form === undefined) throw new Error('there is no such form')
  return served(form, handling, options)
}
