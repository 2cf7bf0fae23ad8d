/**
 * The real thing with some of its methods replaced, so that a failure happens where a test wants it.
 * Everything else goes to the real one.
 */
export function withFaults<T extends object>(real: T, faults: Partial<T>): T {
  return new Proxy(real, {
    get(target, name) {
      if (name in faults) return Reflect.get(faults, name)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** A promise that a test settles. */
export interface Gate {
  readonly passed: Promise<void>
  open(): void
  fail(error: unknown): void
}

export function gate(): Gate {
  let open = (): void => undefined
  let fail: (error: unknown) => void = () => undefined
  const passed = new Promise<void>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  passed.catch(() => undefined)
  return { passed, open: () => open(), fail: (error) => fail(error) }
}
