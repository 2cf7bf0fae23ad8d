import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { TusdEvent } from '../../src/hooks/ports/transport.ts'

/*
 * A hook server as somebody would write it who has read nothing but tusd's documentation (pkg/hooks, hook.proto): it
 * knows tusd's words and none of ours, except that it writes down what else it was sent.
 */

/** What tusd calls a hook request. */
export interface HookRequest {
  readonly Type: string
  readonly Event: TusdEvent
}

/** A request as it was received, with all that came around it. */
export interface Received extends HookRequest {
  readonly Carryon: Record<string, unknown> | undefined
  readonly headers: IncomingHttpHeaders
  readonly rawBody: string
  /** Names the connection, to see whether it was used again. */
  readonly port: number
}

/** The application: what it says to a request, in the words of tusd's JSON. */
export type Application = (request: HookRequest) => object

/** What goes wrong instead of an answer. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => void

/** Keeps what it was told, and lets a test decide what goes wrong. */
abstract class HookServer {
  readonly received: Received[] = []
  application: Application

  constructor(application: Application) {
    this.application = application
  }

  get types(): string[] {
    return this.received.map(({ Type }) => Type)
  }

  /** What was told of uploads: type and id, in order. */
  get events(): string[] {
    return this.received.map(({ Type, Event }) => `${Type} ${Event.Upload.ID}`)
  }
}

/** tusd's HTTP hooks: POST of JSON, an answer of JSON. */
export class HttpHookServer extends HookServer {
  /** What happens in the next requests instead of an answer. */
  readonly faults: Fault[] = []
  /** What happens in every request instead of an answer. */
  fault: Fault | undefined
  #server: Server
  #port = 0
  #connections = 0
  readonly #sockets = new Set<Socket>()

  private constructor(application: Application) {
    super(application)
    this.#server = this.#create()
  }

  static async start(application: Application = () => ({})): Promise<HttpHookServer> {
    const server = new HttpHookServer(application)
    await server.start()
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hooks`
  }

  get connections(): number {
    return this.#connections
  }

  /** Listens, where it has listened before. */
  async start(): Promise<void> {
    if (this.#server.listening) return
    this.#server = this.#create()
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** Closes the connections that wait for another request. */
  dropIdle(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #create(): Server {
    const server = createServer((request, response) => void this.#handle(request, response))
    server.keepAliveTimeout = 60_000
    server.on('connection', (socket) => {
      this.#connections += 1
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    return server
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const rawBody = await textOf(request)
    const message = JSON.parse(rawBody) as HookRequest & { Carryon?: Record<string, unknown> }
    this.received.push({
      ...message,
      Carryon: message.Carryon,
      headers: request.headers,
      rawBody,
      port: request.socket.remotePort ?? 0,
    })
    const fault = this.faults.shift() ?? this.fault
    if (fault !== undefined) return fault(request, response)
    if (request.method !== 'POST' || request.headers['content-type'] !== 'application/json') {
      response.writeHead(415).end()
      return
    }
    const body = JSON.stringify(this.application(message))
    response.writeHead(200, { 'content-type': 'application/json' }).end(body)
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** Faults of an HTTP server. */
export const faults = {
  status:
    (status: number, headers: Record<string, string> = {}, body = `status ${status}`): Fault =>
    (_, response) =>
      void response.writeHead(status, headers).end(body),
  garbage: (body: string | Buffer = '<html>Welcome</html>', type = 'text/html'): Fault => {
    return (_, response) => void response.writeHead(200, { 'content-type': type }).end(body)
  },
  /** Takes the request and says nothing. */
  silence: (() => undefined) as Fault,
  /** Breaks the connection instead of answering. */
  reset: ((request) => void request.socket.resetAndDestroy()) as Fault,
  /** Breaks it in the middle of an answer. */
  resetInTheMiddle: ((request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{"RejectUpload":', () => request.socket.resetAndDestroy())
  }) as Fault,
  /** Ends it cleanly in the middle of an answer. */
  endInTheMiddle: ((request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{}', () => request.socket.end())
  }) as Fault,
}

/** tusd's hook.proto, as its repository has it. */
export const PROTO_FILE: string = new URL('./hook.proto', import.meta.url).pathname

interface GrpcRequest {
  readonly type: string
  /** Ours. */
  readonly carryon?: string
  readonly event: {
    readonly upload: {
      readonly id: string
      readonly size: number
      readonly sizeIsDeferred: boolean
      readonly offset: number
      readonly metaData: Record<string, string>
      readonly isPartial: boolean
      readonly isFinal: boolean
      readonly partialUploads: readonly string[]
      readonly storage: Record<string, string>
    }
    readonly httpRequest: {
      readonly method: string
      readonly uri: string
      readonly remoteAddr: string
      readonly header: Record<string, string>
    }
  }
}

type GrpcCall = grpc.ServerUnaryCall<GrpcRequest, object>
type GrpcFault = (call: GrpcCall, answer: grpc.sendUnaryData<object>) => void

/** tusd's gRPC hooks. Answers are given in the words of its JSON, like those by HTTP. */
export class GrpcHookServer extends HookServer {
  /** What happens in the next calls instead of an answer. */
  readonly faults: GrpcFault[] = []
  /** What happens in every call instead of an answer. */
  fault: GrpcFault | undefined
  readonly #credentials: grpc.ServerCredentials
  #server: grpc.Server | undefined
  #port = 0

  private constructor(application: Application, credentials: grpc.ServerCredentials) {
    super(application)
    this.#credentials = credentials
  }

  static async start(
    application: Application = () => ({}),
    credentials: grpc.ServerCredentials = grpc.ServerCredentials.createInsecure(),
  ): Promise<GrpcHookServer> {
    const server = new GrpcHookServer(application, credentials)
    await server.start()
    return server
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  get port(): number {
    return this.#port
  }

  async start(): Promise<void> {
    if (this.#server !== undefined) return
    const server = new grpc.Server()
    const definitions = loadSync(PROTO_FILE, { keepCase: true, longs: Number, defaults: true })
    const { InvokeHook: method } = definitions['proto.HookHandler'] as grpc.ServiceDefinition
    if (method === undefined) throw new TypeError('hook.proto has no InvokeHook')
    // Bytes as they are, for answers that are none.
    const responseSerialize = (value: object): Buffer =>
      Buffer.isBuffer(value) ? value : method.responseSerialize(value)
    server.addService(
      { InvokeHook: { ...method, responseSerialize } },
      { InvokeHook: (call: GrpcCall, answer: grpc.sendUnaryData<object>) => this.#handle(call, answer) },
    )
    this.#port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${this.#port}`, this.#credentials, (error, port) => {
        if (error === null) resolve(port)
        else reject(error)
      })
    })
    this.#server = server
  }

  async stop(): Promise<void> {
    this.#server?.forceShutdown()
    this.#server = undefined
  }

  #handle(call: GrpcCall, answer: grpc.sendUnaryData<object>): void {
    const request = tusdRequest(call.request)
    const { carryon } = call.request
    this.received.push({
      ...request,
      Carryon: carryon === undefined ? undefined : (JSON.parse(carryon) as Record<string, unknown>),
      headers: headersOf(call.metadata),
      rawBody: '',
      port: 0,
    })
    const fault = this.faults.shift() ?? this.fault
    if (fault !== undefined) return fault(call, answer)
    answer(null, grpcResponse(this.application(request)))
  }
}

/** Values of each name, joined as HTTP joins them. */
function headersOf(metadata: grpc.Metadata): IncomingHttpHeaders {
  const names = Object.keys(metadata.getMap())
  return Object.fromEntries(names.map((name) => [name, metadata.get(name).map(String).join(', ')]))
}

function tusdRequest({ type, event }: GrpcRequest): HookRequest {
  const { upload, httpRequest: http } = event
  const header = Object.entries(http.header).map(([name, value]) => [name, [value]] as const)
  return {
    Type: type,
    Event: {
      Upload: {
        ID: upload.id,
        Size: upload.size,
        SizeIsDeferred: upload.sizeIsDeferred,
        Offset: upload.offset,
        MetaData: upload.metaData,
        IsPartial: upload.isPartial,
        IsFinal: upload.isFinal,
        PartialUploads: upload.isFinal ? upload.partialUploads : null,
        Storage: Object.keys(upload.storage).length > 0 ? upload.storage : null,
      },
      HTTPRequest: {
        Method: http.method,
        URI: http.uri,
        RemoteAddr: http.remoteAddr,
        Header: Object.fromEntries(header),
      },
    },
  }
}

interface JsonResponse {
  readonly HTTPResponse?: { readonly StatusCode?: number; readonly Body?: string; readonly Header?: object }
  readonly RejectUpload?: boolean
  readonly StopUpload?: boolean
  readonly RejectTermination?: boolean
  readonly ChangeFileInfo?: { readonly ID?: string; readonly MetaData?: object; readonly Storage?: object }
}

export function grpcResponse(json: JsonResponse): object {
  const { HTTPResponse: http, ChangeFileInfo: change } = json
  return {
    httpResponse: http && { statusCode: http.StatusCode, body: http.Body, header: http.Header },
    rejectUpload: json.RejectUpload,
    stopUpload: json.StopUpload,
    rejectTermination: json.RejectTermination,
    changeFileInfo: change && { id: change.ID, metaData: change.MetaData, storage: change.Storage },
  }
}

/** Faults of a gRPC server. */
export const grpcFaults = {
  status:
    (code: grpc.status, details = `code ${code}`): GrpcFault =>
    (_, answer) =>
      answer({ code, details }),
  silence: (() => undefined) as GrpcFault,
}
