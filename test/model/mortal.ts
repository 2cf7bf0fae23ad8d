/** Whether the process that owns something still lives. */
export interface Life {
  isOver: boolean
}

/**
 * A store or catalog in the hands of one process: once that is dead nothing it asks for happens any more, and
 * nothing it waits for comes back.
 */
export function mortal<T extends object>(real: T, life: Life): T {
  return new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...given: readonly unknown[]): unknown => {
        if (life.isOver) return never()
        const result: unknown = Reflect.apply(value, target, given)
        return result instanceof Promise ? result.then((known: unknown) => outlived(known, life)) : result
      }
    },
  })
}

function outlived(known: unknown, life: Life): unknown {
  if (life.isOver) return never()
  const isAppender = typeof known === 'object' && known !== null && 'rollback' in known
  return isAppender ? mortal(known, life) : known
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}
