import type { Handling } from '../../core/upload.ts'
import type { SqlValue } from './driver.ts'
import { RowReader } from './row-reader.ts'

/** A finish handler's progress as a column: JSON, the answer's body in base64. */
export function handlingText(handling: Handling | undefined): SqlValue {
  if (handling === undefined) return null
  const { attempts, answer } = handling
  if (answer === undefined) return JSON.stringify({ attempts })
  const { status, headers, body } = answer
  const base64 = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64')
  return JSON.stringify({ attempts, answer: { status, headers, body: base64 } })
}

/** @throws {UploadError} `ERR_CORRUPT_RECORD` for what `handlingText` has not made. */
export function handlingOf(text: string | undefined): Handling | undefined {
  if (text === undefined) return undefined
  const read = new RowReader(JSON.parse(text))
  const attempts = read.integer('attempts')
  const stored = read.maybeObject('answer')
  if (stored === undefined) return { attempts }
  const answer = new RowReader(stored)
  return {
    attempts,
    answer: {
      status: answer.integer('status'),
      headers: answer.object('headers') as Record<string, string>,
      body: new Uint8Array(Buffer.from(answer.text('body'), 'base64')),
    },
  }
}
