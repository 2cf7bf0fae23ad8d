import { excerpt, failure, success } from '../protocol/parsed.ts'
import type { Parsed } from '../protocol/parsed.ts'
import type { Json } from '../core/upload.ts'
import type { HookFileInfoChange, HookHttpResponse, HookResponse } from './ports/transport.ts'

/** Most bytes of an answer that any transport reads, and most characters of a `Body`. */
export const ANSWER_BYTES: number = 64 * 1024

/** Nothing is changed, nothing is refused. */
export const ACCEPTED: HookResponse = Object.freeze({})

/**
 * Parses the text of an answer. Blank text accepts.
 *
 * @returns The answer; or a sentence that says what is wrong with it.
 */
export function parseHookText(text: string): Parsed<HookResponse> {
  if (text.trim() === '') return success(ACCEPTED)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return failure('it is not JSON')
  }
  return parseHookResponse(value)
}

/**
 * Checks an answer, as liberally as Go decodes it for tusd: names in any case, unknown ones ignored, `null` for
 * nothing. A value of another type is an error, never a guess.
 */
export function parseHookResponse(value: unknown): Parsed<HookResponse> {
  try {
    return success(responseOf(value))
  } catch (error) {
    if (error instanceof Malformed) return failure(error.message)
    throw error
  }
}

/** Leaves the recursion; never leaves this module. */
class Malformed extends Error {}

function responseOf(value: unknown): HookResponse {
  const fields = fieldsOf(value, 'it')
  if (fields === undefined) return ACCEPTED
  const http = httpResponseOf(fields.get('httpresponse'))
  const change = fileInfoChangeOf(fields.get('changefileinfo'))
  return {
    ...(http !== undefined && { HTTPResponse: http }),
    ...(change !== undefined && { ChangeFileInfo: change }),
    ...(flagOf(fields, 'RejectUpload') && { RejectUpload: true }),
    ...(flagOf(fields, 'RejectTermination') && { RejectTermination: true }),
    ...(flagOf(fields, 'StopUpload') && { StopUpload: true }),
  }
}

function httpResponseOf(value: unknown): HookHttpResponse | undefined {
  const fields = fieldsOf(value, 'HTTPResponse')
  if (fields === undefined) return undefined
  const status = statusOf(fields.get('statuscode'))
  const body = textOf(fields.get('body'), 'HTTPResponse.Body')
  if (body.length > ANSWER_BYTES) throw new Malformed(`HTTPResponse.Body is longer than ${ANSWER_BYTES}`)
  const header = textsOf(fields.get('header'), 'HTTPResponse.Header')
  for (const [name, text] of Object.entries(header ?? {})) checkField(name, text)
  return {
    ...(status !== undefined && { StatusCode: status }),
    // tusd replaces a part of its answer only by something: an empty text is none.
    ...(body !== '' && { Body: body }),
    ...(header !== undefined && { Header: header }),
  }
}

function fileInfoChangeOf(value: unknown): HookFileInfoChange | undefined {
  const fields = fieldsOf(value, 'ChangeFileInfo')
  if (fields === undefined) return undefined
  const id = textOf(fields.get('id'), 'ChangeFileInfo.ID')
  const metadata = textsOf(fields.get('metadata'), 'ChangeFileInfo.MetaData')
  const storage = objectOf(fields.get('storage'), 'ChangeFileInfo.Storage')
  const isPlaced = storage !== undefined && Object.keys(storage).length > 0
  return {
    ...(id !== '' && { ID: id }),
    ...(metadata !== undefined && { MetaData: metadata }),
    ...(isPlaced && { Storage: storage as Record<string, Json> }),
  }
}

function statusOf(value: unknown): number | undefined {
  if (value === undefined || value === null || value === 0) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 200 || value > 599) {
    throw new Malformed('HTTPResponse.StatusCode is not a number from 200 to 599')
  }
  return value
}

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** RFC 9110 §5.5. Anything else would be refused, or split the answer, when it is sent. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

function checkField(name: string, value: string): void {
  if (!FIELD_NAME.test(name)) throw new Malformed(`HTTPResponse.Header has the name ${excerpt(name)}`)
  if (!FIELD_VALUE.test(value)) {
    throw new Malformed(`HTTPResponse.Header ${excerpt(name)} has characters that no header field can have`)
  }
}

function flagOf(fields: ReadonlyMap<string, unknown>, name: string): boolean {
  const value = fields.get(name.toLowerCase()) ?? false
  if (typeof value !== 'boolean') throw new Malformed(`${name} is not a boolean`)
  return value
}

function textOf(value: unknown, name: string): string {
  const text = value ?? ''
  if (typeof text !== 'string') throw new Malformed(`${name} is not a string`)
  return text
}

function textsOf(value: unknown, name: string): Record<string, string> | undefined {
  const object = objectOf(value, name)
  if (object === undefined) return undefined
  // Without a prototype `__proto__` is a key like any other.
  const texts: Record<string, string> = Object.create(null)
  for (const [key, item] of Object.entries(object)) texts[key] = textOf(item, `${name} ${excerpt(key)}`)
  return texts
}

/** An object's values by lower-case name. Of names that differ in case only, the last one counts. */
function fieldsOf(value: unknown, name: string): ReadonlyMap<string, unknown> | undefined {
  const object = objectOf(value, name)
  if (object === undefined) return undefined
  return new Map(Object.entries(object).map(([key, item]) => [key.toLowerCase(), item]))
}

function objectOf(value: unknown, name: string): object | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) throw new Malformed(`${name} is not an object`)
  return value
}
