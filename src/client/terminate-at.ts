import type { Requester } from './requester.ts'
import { isGone, isSuccess } from './tus-answers.ts'

/** tus 1.0 §Termination. What is gone already is as good as deleted. */
export async function terminateAt(requester: Requester, url: string, signal: AbortSignal): Promise<void> {
  const call = { method: 'DELETE', url, signal }
  const response = await requester.send(call)
  if (!isSuccess(response) && !isGone(response)) {
    throw requester.refusal(call, response, 'cannot delete')
  }
}
