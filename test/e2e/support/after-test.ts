import { afterEach } from 'vitest'

const waiting: (() => unknown)[] = []

afterEach(async () => {
  for (;;) {
    const next = waiting.pop()
    if (next === undefined) return
    await next()
  }
})

/** Does something after the running test; what was asked for last is done first. */
export function afterTest(work: () => unknown): void {
  waiting.push(work)
}
