import type { Answer } from './expect.ts'
import { connect } from './wire.ts'
import type { Connection, Endpoint } from './wire.ts'
import { WireError } from './wire-response.ts'
import type { ResponseHead } from './wire-response.ts'
import type { ComposedRequest } from './wire-request.ts'

/** A request whose head is out and whose body is still in the hands of the case. */
export interface OpenRequest {
  write(data: string | Uint8Array): void
  /** Ends our side with a FIN. */
  finish(): void
  /** Drops the connection with a RST. */
  reset(): void
  close(): void
  /** The final answer. Rejects with `WireError` if the connection breaks first. */
  readonly answer: Promise<Answer>
  /** Interim answers so far. */
  readonly interim: readonly ResponseHead[]
  /** What comes first within `ms`: an interim answer, the final one, the end of the connection, or nothing. */
  first(ms: number): Promise<'interim' | 'answer' | 'closed' | 'nothing'>
  /** Whether the server closes the connection within `ms`. */
  closes(ms: number): Promise<boolean>
}

/** Resolves with the value, or with `undefined` after `ms`. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Sends the head of a request over a new connection and starts to listen for the answer. */
export async function openRequest(
  endpoint: Endpoint,
  method: string,
  request: ComposedRequest,
  signal: AbortSignal,
): Promise<OpenRequest> {
  const connection = await connect(endpoint, signal)
  connection.write(request.head)
  const interim: ResponseHead[] = []
  let onInterim: (value: 'interim') => void = () => undefined
  const firstInterim = new Promise<'interim'>((resolve) => {
    onInterim = resolve
  })
  const answer = answerOf(connection, method, request.summary, (head) => {
    interim.push(head)
    onInterim('interim')
  })
  const outcome = answer.then(
    () => 'answer' as const,
    () => 'closed' as const,
  )
  return {
    write: (data) => connection.write(data),
    finish: () => connection.finish(),
    reset: () => connection.reset(),
    close: () => connection.close(),
    answer,
    interim,
    first: async (ms) => (await within(Promise.race([firstInterim, outcome]), ms)) ?? 'nothing',
    closes: async (ms) =>
      (await within(
        connection.ended.then(() => true),
        ms,
      )) ?? false,
  }
}

/** Reads one answer and refuses bytes behind it: they would be taken for the next answer of the connection. */
export async function answerOf(
  connection: Connection,
  method: string,
  sent: string,
  onInterim?: (head: ResponseHead) => void,
): Promise<Answer> {
  try {
    const response = await connection.response(method, onInterim)
    if (connection.surplusBytes > 0) {
      throw new WireError(
        'malformed',
        `${connection.surplusBytes} stray bytes follow the ${response.status} answer`,
      )
    }
    return { ...response, sent }
  } catch (error) {
    if (error instanceof WireError) error.sent ??= sent
    throw error
  }
}
