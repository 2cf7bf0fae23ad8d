import { expect, test } from 'vitest'
import type { Disk } from '../../src/stores/file/disk.ts'
import { patientDisk } from '../../src/stores/file/patient-disk.ts'

function failing(...codes: readonly string[]): { disk: Disk; given: () => number } {
  const left = [...codes]
  let given = 0
  const open = async (): Promise<number> => {
    const code = left.shift()
    if (code === undefined) return 7
    throw Object.assign(new Error(code), { code })
  }
  const disk = patientDisk({ open } as unknown as Disk, async () => {
    given += 1
  })
  return { disk, given: () => given }
}

test.each(['EMFILE', 'ENFILE'])(
  '%s: idle handles are given back, and it is tried once more',
  async (code) => {
    const { disk, given } = failing(code)
    expect(await disk.open('x', 0)).toBe(7)
    expect(given()).toBe(1)
    const still = failing(code, code)
    await expect(still.disk.open('x', 0)).rejects.toThrow(code)
    expect(still.given()).toBe(1)
  },
)

test('any other failure is one', async () => {
  const { disk, given } = failing('EACCES')
  await expect(disk.open('x', 0)).rejects.toThrow('EACCES')
  expect(given()).toBe(0)
})
