import * as z from 'zod'

/** A setting's type: text, as typed or from the environment, to value. */
export type SettingType<T> = z.ZodType<T, string>

/** Any text that is not empty. */
export const text: SettingType<string> = readAs('some text', (typed) => (typed === '' ? undefined : typed))

/** A directory, a file: any text that can be a path. */
export const path: SettingType<string> = readAs('a path', (typed) =>
  typed === '' || typed.includes('\0') ? undefined : typed,
)

/** On or off. */
export const onOff: SettingType<boolean> = z.stringbool({
  truthy: ['true', '1', 'yes', 'on'],
  falsy: ['false', '0', 'no', 'off'],
  error: 'must be true or false',
})

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[]): SettingType<T> {
  return readAs(words.join(', ').replace(/, (?=[^,]*$)/, ' or '), (typed) =>
    words.find((word) => word === typed),
  )
}

/** A whole number within bounds, in plain digits. */
export function wholeNumber(min: number, max: number): SettingType<number> {
  return readAs(`a whole number from ${min} to ${max}`, (typed) => {
    const value = /^[0-9]{1,15}$/.test(typed) ? Number(typed) : undefined
    return value !== undefined && value >= min && value <= max ? value : undefined
  })
}

/**
 * A type out of a parser.
 *
 * @param rule - What is allowed, to follow "must be".
 * @param parse - `undefined`: refused.
 */
export function readAs<T>(rule: string, parse: (typed: string) => T | undefined): SettingType<T> {
  return z.string().transform((typed, context): T => {
    const value = parse(typed)
    if (value !== undefined) return value
    context.issues.push({ code: 'custom', message: `must be ${rule}`, input: typed })
    return z.NEVER
  })
}
