import { NotApplicable, Unmet } from './expect.ts'
import { describeBody } from './wire-request.ts'
import { WireError, type WireResponse } from './wire-response.ts'

/** What was said on the wire when a rule did not hold. */
export interface Evidence {
  readonly sent: string
  readonly received: string
}

/** A thrown thing as the words of a report. */
export interface Explanation {
  readonly kind: 'not-applicable' | 'unmet'
  readonly message: string
  readonly evidence?: Evidence
}

/** Turns what a case has thrown into words; never throws itself. */
export function explain(error: unknown): Explanation {
  if (error instanceof NotApplicable) return { kind: 'not-applicable', message: error.message }
  if (error instanceof Unmet) {
    const { message, answer } = error
    if (answer === undefined) return { kind: 'unmet', message }
    return { kind: 'unmet', message, evidence: { sent: answer.sent, received: describeAnswer(answer) } }
  }
  if (error instanceof WireError) {
    const { message, sent } = error
    const evidence = sent === undefined ? {} : { evidence: { sent, received: `(${error.trouble})` } }
    return { kind: 'unmet', message, ...evidence }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { kind: 'unmet', message: `the case itself broke: ${message}` }
}

function describeAnswer(answer: WireResponse): string {
  const lines = answer.lines.slice(0, 24).map(([name, value]) => `  ${name}: ${value.slice(0, 100)}`)
  const body = answer.body.length > 0 ? [`  (${describeBody(answer.body)})`] : []
  const interim = answer.interim.map(({ status }) => `${status} (interim)`)
  return [...interim, `${answer.status} ${answer.reason}`.trimEnd(), ...lines, ...body].join('\n')
}
