import type { HandlerAnswer } from './answer.ts'
import type { OrdinaryRequest } from './ordinary-request.ts'

/**
 * Calls a handler of some form with a request and takes its answer.
 *
 * @returns Once the answer is whole and nobody reads the content any more.
 * @throws whatever the handler throws, and where it ends without an answer.
 */
export type HandlerCall = (request: OrdinaryRequest) => Promise<HandlerAnswer>
