import { describe, expect, test } from 'vitest'
import { parseHookResponse, parseHookText } from '../../src/hooks/response.ts'

describe('an answer', () => {
  test.each([
    ['nothing', '', {}],
    ['white space', ' \r\n', {}],
    ['null', 'null', {}],
    ['an empty object', '{}', {}],
    ['what tusd does not know', '{"Foo":1,"Carryon":{"x":[]}}', {}],
    ['false', '{"RejectUpload":false,"StopUpload":false,"RejectTermination":false}', {}],
    [
      'names in another case',
      '{"rejectupload":true,"STOPUPLOAD":true}',
      { RejectUpload: true, StopUpload: true },
    ],
    ['null for nothing', '{"HTTPResponse":null,"RejectUpload":null,"ChangeFileInfo":null}', {}],
    [
      'names in another case within',
      '{"httpResponse":{"statuscode":403,"body":"no","header":{"X-A":"1"}}}',
      { HTTPResponse: { StatusCode: 403, Body: 'no', Header: { 'X-A': '1' } } },
    ],
    [
      'empty parts, which are none in Go',
      '{"HTTPResponse":{"StatusCode":0,"Body":"","Header":null}}',
      { HTTPResponse: {} },
    ],
    ['an id', '{"ChangeFileInfo":{"ID":"x"}}', { ChangeFileInfo: { ID: 'x' } }],
    ['an empty id', '{"ChangeFileInfo":{"ID":""}}', { ChangeFileInfo: {} }],
    ['metadata to empty', '{"ChangeFileInfo":{"MetaData":{}}}', { ChangeFileInfo: { MetaData: {} } }],
    [
      'null in metadata, which is empty in Go',
      '{"ChangeFileInfo":{"MetaData":{"a":null}}}',
      { ChangeFileInfo: { MetaData: { a: '' } } },
    ],
    ['no storage', '{"ChangeFileInfo":{"Storage":{}}}', { ChangeFileInfo: {} }],
    ['the last of two', '{"RejectUpload":true,"RejectUpload":false}', {}],
    ['a byte order mark before it is for the transports', '{"StopUpload":true}', { StopUpload: true }],
  ])('of %s', (_, text, expected) => {
    expect(parseHookText(text)).toEqual({ ok: true, value: expected })
  })

  test.each([
    ['<html>', 'it is not JSON'],
    ['{', 'it is not JSON'],
    ['{} {}', 'it is not JSON'],
    ['"ok"', 'it is not an object'],
    ['[]', 'it is not an object'],
    ['1', 'it is not an object'],
    ['{"RejectUpload":"true"}', 'RejectUpload is not a boolean'],
    ['{"RejectUpload":1}', 'RejectUpload is not a boolean'],
    ['{"stopupload":{}}', 'StopUpload is not a boolean'],
    ['{"RejectTermination":[]}', 'RejectTermination is not a boolean'],
    ['{"HTTPResponse":"no"}', 'HTTPResponse is not an object'],
    ['{"HTTPResponse":{"StatusCode":"403"}}', 'HTTPResponse.StatusCode is not a number from 200 to 599'],
    ['{"HTTPResponse":{"StatusCode":403.5}}', 'HTTPResponse.StatusCode is not a number from 200 to 599'],
    ['{"HTTPResponse":{"StatusCode":100}}', 'HTTPResponse.StatusCode is not a number from 200 to 599'],
    ['{"HTTPResponse":{"StatusCode":600}}', 'HTTPResponse.StatusCode is not a number from 200 to 599'],
    ['{"HTTPResponse":{"StatusCode":-1}}', 'HTTPResponse.StatusCode is not a number from 200 to 599'],
    ['{"HTTPResponse":{"Body":{}}}', 'HTTPResponse.Body is not a string'],
    ['{"HTTPResponse":{"Header":[]}}', 'HTTPResponse.Header is not an object'],
    ['{"HTTPResponse":{"Header":{"A":["x"]}}}', 'HTTPResponse.Header "A" is not a string'],
    ['{"HTTPResponse":{"Header":{"A B":"x"}}}', 'HTTPResponse.Header has the name "A B"'],
    ['{"HTTPResponse":{"Header":{"":"x"}}}', 'HTTPResponse.Header has the name ""'],
    [
      '{"HTTPResponse":{"Header":{"A":"x\\r\\nSet-Cookie: a=b"}}}',
      'HTTPResponse.Header "A" has characters that no header field can have',
    ],
    [
      '{"HTTPResponse":{"Header":{"A":"日本"}}}',
      'HTTPResponse.Header "A" has characters that no header field can have',
    ],
    ['{"ChangeFileInfo":[]}', 'ChangeFileInfo is not an object'],
    ['{"ChangeFileInfo":{"ID":7}}', 'ChangeFileInfo.ID is not a string'],
    ['{"ChangeFileInfo":{"MetaData":"x"}}', 'ChangeFileInfo.MetaData is not an object'],
    ['{"ChangeFileInfo":{"MetaData":{"a":1}}}', 'ChangeFileInfo.MetaData "a" is not a string'],
    ['{"ChangeFileInfo":{"Storage":"x"}}', 'ChangeFileInfo.Storage is not an object'],
  ])('%s is refused', (text, reason) => {
    expect(parseHookText(text)).toEqual({ ok: false, reason })
  })

  test('a body of more than 64 KiB is refused wherever it comes from', () => {
    const response = (length: number): unknown => ({ HTTPResponse: { Body: 'x'.repeat(length) } })
    expect(parseHookResponse(response(64 * 1024)).ok).toBe(true)
    expect(parseHookResponse(response(64 * 1024 + 1)).ok).toBe(false)
  })

  test('keys that are traps of JavaScript are keys', () => {
    const parsed = parseHookText(
      '{"__proto__":{"RejectUpload":true},"ChangeFileInfo":{"MetaData":{"__proto__":"x"}}}',
    )
    expect(parsed.ok && parsed.value.RejectUpload).toBeUndefined()
    expect(parsed.ok && Object.entries(parsed.value.ChangeFileInfo?.MetaData ?? {})).toEqual([
      ['__proto__', 'x'],
    ])
  })
})
