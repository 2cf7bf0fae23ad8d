import { nodeDisk } from '../../src/stores/file/disk.ts'
import type { Disk } from '../../src/stores/file/disk.ts'
import { fileStoreOn } from '../../src/stores/file/index.ts'
import type { FileStoreOptions } from '../../src/stores/file/index.ts'
import { bytesOf, Scene } from '../../src/testing/store-contract/scene.ts'
import type { Upload } from '../../src/testing/store-contract/scene.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export const SIZE = 300_000
export const BYTES: Uint8Array = bytesOf(SIZE)
export const HALF: Uint8Array = BYTES.subarray(0, SIZE / 2)
export const REST: Uint8Array = BYTES.subarray(SIZE / 2)

/** A file store in a directory of its own; after a restart over a sound disk. */
export async function sceneOn(
  disk: Disk = nodeDisk,
  options: Partial<FileStoreOptions> = {},
): Promise<{ root: string; scene: Scene }> {
  const root = await temporaryDirectory()
  const make = (on: Disk) => fileStoreOn(on, { dir: root, ...options })
  const scene = new Scene({ store: make(disk), reopen: async () => make(nodeDisk), dispose: async () => {} })
  return { root, scene }
}

export interface StoredSegment {
  readonly file: string
  readonly start: number
  readonly length: number
  readonly writer: string
}

export function segmentsOf(upload: Upload): readonly StoredSegment[] {
  return (upload.record.placement.where as unknown as { segments: readonly StoredSegment[] }).segments
}
