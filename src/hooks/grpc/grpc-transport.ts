import type { ChannelCredentials, Client, Metadata, ServiceError } from '@grpc/grpc-js'
import { systemClock } from '../../core/system-clock.ts'
import { forwardedFields, forwardList } from '../forward.ts'
import { HookError, isHookError, shownText } from '../ports/hook-error.ts'
import { isDecision } from '../hook-types.ts'
import { ACCEPTED, ANSWER_BYTES, parseHookResponse } from '../response.ts'
import type { HookCall, HookResponse, HookTransport } from '../ports/transport.ts'
import { triesOf, withTries } from '../tries.ts'
import type { Tries, TryOptions } from '../tries.ts'
import { loadGrpc } from './load.ts'
import type { GrpcParts } from './load.ts'
import { answerOf, requestOf } from './messages.ts'

/** Certificates in PEM. */
export interface GrpcTls {
  /** Whom to trust. @default the authorities of Node */
  readonly ca?: string | Uint8Array | undefined
  /** Our own certificate, for a server that wants one; with `key`. */
  readonly cert?: string | Uint8Array | undefined
  readonly key?: string | Uint8Array | undefined
}

export interface GrpcTransportOptions extends TryOptions {
  /** `host:port`. */
  readonly address: string
  /** `true` for TLS as it is. @default no TLS */
  readonly tls?: boolean | GrpcTls | undefined
  /**
   * Header fields of the client's request that are sent along as metadata. An event that was queued has only those
   * that may be stored: never cookies or `Authorization`.
   *
   * @default none
   */
  readonly forwardHeaders?: readonly string[] | undefined
  /** @default 'grpc' */
  readonly name?: string | undefined
}

/**
 * Hooks by gRPC, with tusd's proto: `proto.HookHandler/InvokeHook`. Calls have a deadline; failures that pass by
 * themselves (`UNAVAILABLE`, `UNKNOWN`, `INTERNAL`, …) are repeated.
 *
 * The proto cannot tell an empty map from none: metadata cannot be emptied this way.
 *
 * @throws {TypeError} when `@grpc/grpc-js` and `@grpc/proto-loader` are not installed, and for an option that makes no
 *   sense.
 * @throws {RangeError} for a number that makes no sense.
 */
export async function grpcTransport(options: GrpcTransportOptions): Promise<HookTransport> {
  // Before anything is loaded: what is wrong with the options is known without it.
  const tries = triesOf(options, systemClock)
  const forward = forwardList(options.forwardHeaders)
  if (options.address.trim() === '') throw new TypeError('The address of the gRPC hooks is empty')
  return new GrpcTransport(options, { tries, forward, parts: await loadGrpc() })
}

interface Prepared {
  readonly tries: Tries
  readonly forward: readonly string[]
  readonly parts: GrpcParts
}

class GrpcTransport implements HookTransport {
  readonly name: string
  readonly #address: string
  readonly #tries: Tries
  readonly #forward: readonly string[]
  readonly #parts: GrpcParts
  readonly #credentials: ChannelCredentials
  #client: Client

  constructor(options: GrpcTransportOptions, { tries, forward, parts }: Prepared) {
    this.name = options.name ?? 'grpc'
    this.#address = options.address
    this.#tries = tries
    this.#forward = forward
    this.#parts = parts
    this.#credentials = credentialsOf(parts, options.tls)
    this.#client = this.#connect()
  }

  async invoke(call: HookCall, signal: AbortSignal): Promise<HookResponse> {
    const request = requestOf(call)
    const who = this.#who(call)
    const untilMs = Date.now() + this.#tries.timeoutMs
    return withTries(this.#tries, { who, signal }, async (inner) => {
      const answer = await this.#call(call, request, { signal: inner, untilMs }).catch((error: unknown) => {
        const isIgnored = !isDecision(call.type) && isHookError(error) && error.code === 'bad-answer'
        if (isIgnored) return undefined
        throw error
      })
      if (answer === undefined || !isDecision(call.type)) return ACCEPTED
      const response = parseHookResponse(answerOf(answer))
      if (response.ok) return response.value
      throw new HookError('bad-answer', `The answer of ${who} is wrong: ${response.reason}`, {
        retry: 'later',
      })
    })
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  #who({ type }: HookCall): string {
    return `The hook ${type} at ${this.#address}`
  }

  #connect(): Client {
    const { grpc } = this.#parts
    return new grpc.Client(this.#address, this.#credentials, {
      'grpc.max_receive_message_length': ANSWER_BYTES,
      // A server that is back is to be seen soon, also after it was away for long.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 5000,
      // Repetitions are ours, and a new client has to mean a new connection.
      'grpc.enable_retries': 0,
      'grpc.use_local_subchannel_pool': 1,
    })
  }

  #call(
    call: HookCall,
    request: object,
    { signal, untilMs }: { readonly signal: AbortSignal; readonly untilMs: number },
  ): Promise<object> {
    const { method } = this.#parts
    const client = this.#client
    return new Promise((resolve, reject) => {
      const outgoing = client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        this.#metadata(call),
        { deadline: untilMs },
        (error, answer) => {
          signal.removeEventListener('abort', cancel)
          if (error === null) resolve(answer ?? {})
          else reject(this.#failure(call, error))
        },
      )
      const cancel = (): void => {
        outgoing.cancel()
        this.#renew(client)
      }
      signal.addEventListener('abort', cancel, { once: true })
      if (signal.aborted) cancel()
    })
  }

  /** A connection whose other end is silently gone fails each call by its deadline, for many minutes. */
  #renew(client: Client): void {
    if (this.#client !== client) return
    this.#client = this.#connect()
    client.close()
  }

  #metadata(call: HookCall): Metadata {
    const metadata = new this.#parts.grpc.Metadata()
    for (const [name, values] of forwardedFields(call, this.#forward)) {
      for (const value of values) if (canCarry(name, value)) metadata.add(name, value)
    }
    metadata.set('hook-name', call.type)
    metadata.set('idempotency-key', call.id)
    return metadata
  }

  #failure(call: HookCall, error: ServiceError): HookError {
    const { status } = this.#parts.grpc
    const { code } = error
    const name = status[code] ?? String(code)
    const message = `${this.#who(call)} failed with ${name}: ${shownText(error.details)}`
    // The library's own words for answers that it could not take; a repetition gives the same one.
    if (/^(?:Received message larger than|Response message parsing error)/.test(error.details)) {
      return new HookError('bad-answer', message, { retry: 'later', cause: error })
    }
    if (code === status.DEADLINE_EXCEEDED)
      return new HookError('timeout', message, { retry: 'soon', cause: error })
    if (code === status.UNAVAILABLE)
      return new HookError('unreachable', message, { retry: 'soon', cause: error })
    const passing: readonly number[] = [
      status.UNKNOWN,
      status.INTERNAL,
      status.ABORTED,
      status.RESOURCE_EXHAUSTED,
      status.DATA_LOSS,
    ]
    return new HookError('refused', message, {
      retry: passing.includes(code) ? 'soon' : 'later',
      cause: error,
    })
  }
}

/** gRPC has its own rules for names (those of bytes end in `-bin`), and values are printable ASCII. */
function canCarry(name: string, value: string): boolean {
  return /^[0-9a-z_.-]+$/.test(name) && !/^grpc-|-bin$/.test(name) && /^[\x20-\x7e]*$/.test(value)
}

function credentialsOf({ grpc }: GrpcParts, tls: boolean | GrpcTls | undefined): ChannelCredentials {
  if (tls === undefined || tls === false) return grpc.credentials.createInsecure()
  const { ca, cert, key } = tls === true ? {} : tls
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError('A certificate for gRPC hooks needs its key, and a key its certificate')
  }
  return grpc.credentials.createSsl(bytesOf(ca), bytesOf(key), bytesOf(cert))
}

function bytesOf(pem: string | Uint8Array | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem)
}
