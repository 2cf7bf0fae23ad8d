import { inspect } from 'node:util'

const LONGEST_QUOTE = 60
const LONGEST_CHAIN = 8

/** Text as one line that cannot steer a terminal, whatever it holds. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/\s*[\r\n\u2028\u2029]+\s*/g, ' ')
    .replaceAll(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\u{fffd}')
    .trim()
}

/** A piece of input in quotes, for a message. */
export function quote(text: string): string {
  return JSON.stringify(oneLine(text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text))
}

/** An error and what caused it, in one line. */
export function describeError(error: unknown): string {
  const parts: string[] = []
  for (const link of causeChain(error)) {
    const part = link instanceof Error ? messageOf(link) : oneLine(inspect(link))
    // Many errors quote their cause already.
    if (parts.at(-1)?.includes(part) !== true) parts.push(part)
  }
  return parts.join(': ')
}

/** Whether an error is of a kind that its message explains; anything else needs its stack. */
export function isExpected(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code !== 'ERR_INTERNAL_SERVER_ERROR'
}

function causeChain(error: unknown): readonly unknown[] {
  const chain: unknown[] = []
  // Bounded, because a chain may lead back to itself.
  for (let link = error; link !== undefined && chain.length < LONGEST_CHAIN;) {
    chain.push(link)
    link = link instanceof Error ? link.cause : undefined
  }
  return chain
}

function messageOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const message = oneLine(error.message)
  return code === undefined || message.startsWith(code) ? message : `${code}: ${message}`
}
