import type { HandlerAnswer } from './answer.ts'
import { collectBody } from './answer.ts'
import type { Content } from './content.ts'
import type { HandlerCall } from './handler-call.ts'
import type { OrdinaryRequest } from './ordinary-request.ts'
import { rememberUpload } from './resumed-upload.ts'

/** Calls a handler of the form `Request → Response`. */
export function fetchCall(handler: (request: Request) => Response | Promise<Response>): HandlerCall {
  return async (ordinary) => {
    const { content } = ordinary
    try {
      const request = toRequest(ordinary)
      rememberUpload(request, ordinary.upload)
      const answer = await answerOf(await handler(request))
      // It may have answered first and go on reading: without an answer to wait for nobody would keep the bytes.
      if (content.isBeingRead && answer.status < 400) await content.untilOver()
      content.assertRead()
      return answer
    } finally {
      await content.end()
    }
  }
}

function toRequest(ordinary: OrdinaryRequest): Request {
  const { method, headers, content, signal, upload, host } = ordinary
  const body = upload.sizeBytes === 0 ? null : streamOf(content)
  // `duplex` is missing in the types of the DOM.
  const init: RequestInit & { duplex: 'half' } = {
    method,
    headers: host === undefined ? headers : { ...headers, host },
    body,
    signal,
    duplex: 'half',
  }
  return new Request(urlOf(ordinary), init)
}

function urlOf({ isSecure, host, target }: OrdinaryRequest): string {
  const scheme = isSecure ? 'https' : 'http'
  const url = `${scheme}://${host ?? 'localhost'}${target}`
  // Clients put things into Host that are none.
  return URL.canParse(url) ? url : `${scheme}://localhost${target}`
}

/** Nothing is read before the handler asks for it. */
function streamOf(content: Content): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      const chunk = await content.next()
      if (chunk !== undefined) return controller.enqueue(new Uint8Array(chunk))
      controller.close()
      // A reader that brings its own memory waits for it to be given back.
      controller.byobRequest?.respond(0)
    },
    cancel: () => content.end(),
  })
}

async function answerOf(response: unknown): Promise<HandlerAnswer> {
  if (!isResponse(response)) throw new TypeError('the handler did not return a Response')
  const { status, headers, body } = response
  return {
    status,
    headers: Object.fromEntries(headers),
    body: body === null ? new Uint8Array(0) : await collectBody(body),
  }
}

/** Not by `instanceof`: runtimes and polyfills have classes of their own. */
function isResponse(value: unknown): value is Response {
  return (
    typeof value === 'object' && value !== null && 'status' in value && 'headers' in value && 'body' in value
  )
}
