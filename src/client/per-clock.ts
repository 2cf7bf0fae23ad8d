import type { Clock } from '../core/ports/clock.ts'

/** What a process, or page, remembers for all its uploads: it has one clock, and so one of these maps. */
export function perClock<Value>(): (clock: Clock) => Map<string, Value> {
  const maps = new WeakMap<Clock, Map<string, Value>>()
  return (clock) => {
    const map = maps.get(clock) ?? new Map<string, Value>()
    maps.set(clock, map)
    return map
  }
}
