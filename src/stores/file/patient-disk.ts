import type { Disk } from './disk.ts'
import { errorCode } from './disk-errors.ts'

/**
 * A disk that gives idle handles back when there are no more to be had, and then tries again: uploads that merely wait
 * for their next request must not keep others from being stored.
 *
 * @param giveBack - Closes what is open for nobody.
 */
export function patientDisk(disk: Disk, giveBack: () => Promise<void>): Disk {
  return {
    ...disk,
    async open(path, flags, mode) {
      try {
        return await disk.open(path, flags, mode)
      } catch (error) {
        const code = errorCode(error)
        if (code !== 'EMFILE' && code !== 'ENFILE') throw error
        await giveBack()
        return disk.open(path, flags, mode)
      }
    },
  }
}
