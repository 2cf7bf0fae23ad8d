import assert from 'node:assert/strict'

import type { Scenario } from './scene.ts'

export const capabilityTests: readonly Scenario[] = [
  {
    name: 'free space is a number of bytes, or the store does not know it',
    run: async ({ store }) => {
      if (store.freeBytes === undefined) {
        assert.ok(!('freeBytes' in store) || store.freeBytes === undefined)
        return
      }
      const bytes = await store.freeBytes()
      assert.ok(Number.isFinite(bytes) && bytes >= 0, String(bytes))
    },
  },
]
