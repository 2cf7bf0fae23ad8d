import type { UploadEvent } from './events.ts'
import { isOver } from './state.ts'
import { UploadMachine } from './upload.ts'

const TYPES = ['progress', 'state', 'url', 'error', 'warning', 'complete'] as const

/** An upload whose events can be iterated over. */
export class IterableUpload extends UploadMachine {
  /**
   * The events from now on, until the upload is complete, cancelled or has failed. Does not start it. Of `progress`
   * only the latest is kept for a slow reader.
   */
  [Symbol.asyncIterator](): AsyncGenerator<UploadEvent, void, undefined> {
    return eventsOf(this)
  }
}

function eventsOf(upload: UploadMachine): AsyncGenerator<UploadEvent, void, undefined> {
  let events: UploadEvent[] = []
  let hasEnded = isOver(upload.state)
  let wake = (): void => {}
  // Not in the generator: that begins only when it is asked for the first event.
  const leaves = TYPES.map((type) => {
    const take = (event: object): void => {
      if (type === 'progress') events = events.filter(({ type }) => type !== 'progress')
      events.push({ type, ...event } as UploadEvent)
      // The event `complete` comes right after the state of that name, before anybody is woken.
      hasEnded ||= /complete|failed|cancelled/.test(upload.state)
      wake()
    }
    upload.on(type, take)
    return () => upload.off(type, take)
  })
  return (async function* () {
    try {
      for (;;) {
        const event = events.shift()
        if (event) yield event
        else if (hasEnded) return
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      for (const leave of leaves) leave()
    }
  })()
}
