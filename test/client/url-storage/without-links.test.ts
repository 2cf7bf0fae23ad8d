/* Some file systems (exFAT) have no links: the locks of files have another way there. */
import { describe, expect, test, vi } from 'vitest'
import { urlStorageContract } from '../../../src/testing/url-storage-contract.ts'
import { fileUnderTest } from './fixtures.ts'

const { link } = vi.hoisted(() => ({
  link: vi.fn<() => Promise<void>>(() =>
    Promise.reject(Object.assign(new Error('operation not permitted'), { code: 'EPERM' })),
  ),
}))

vi.mock('node:fs/promises', async (original) => ({ ...(await original<object>()), link }))

describe('uploads remembered in a file, without links', () => {
  urlStorageContract({ test, factory: fileUnderTest })
})

test('links were asked for in vain', () => {
  expect(link).toHaveBeenCalled()
})
