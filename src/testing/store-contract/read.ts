import assert from 'node:assert/strict'

import { bytesOf, collect, sameBytes } from './scene.ts'
import type { Scenario, Scene, Upload } from './scene.ts'

/** Bytes that lie in several pieces, whatever a store calls a piece. */
async function inPieces(scene: Scene, bytes: Uint8Array): Promise<Upload> {
  const upload = scene.upload(bytes.byteLength)
  for (let at = 0; at < bytes.byteLength; at += 170_000) {
    await upload.append([bytes.subarray(at, at + 170_000)])
    await scene.restart()
  }
  return upload
}

export const readTests: readonly Scenario[] = [
  {
    name: 'ranges are exact at every border',
    run: async (scene) => {
      const bytes = bytesOf(600_000)
      const upload = await inPieces(scene, bytes)
      const borders = [0, 1, 169_999, 170_000, 170_001, 262_144, 524_288, 599_999, 600_000]
      for (const start of borders) {
        for (const end of borders.filter((border) => border >= start)) {
          sameBytes(await upload.read({ start, end }), bytes.subarray(start, end))
        }
      }
    },
  },
  {
    name: 'ranges of a small body are exact',
    run: async (scene) => {
      const upload = await scene.complete(bytesOf(100))
      sameBytes(await upload.read({ start: 0, end: 1 }), bytesOf(100).subarray(0, 1))
      sameBytes(await upload.read({ start: 10, end: 90 }), bytesOf(100).subarray(10, 90))
      sameBytes(await upload.read({ start: 99, end: 100 }), bytesOf(100).subarray(99))
      sameBytes(await upload.read({ start: 50, end: 50 }), new Uint8Array(0))
    },
  },
  {
    name: 'an upload without bytes reads as nothing',
    run: async (scene) => {
      for (const length of [0, 10, 1_000_000, undefined]) await scene.upload(length).holds(new Uint8Array(0))
    },
  },
  {
    name: 'the recorded bytes can be read while more are written',
    run: async (scene) => {
      const bytes = bytesOf(400_000)
      const upload = scene.upload(bytes.byteLength)
      await upload.append([bytes.subarray(0, 200_000)])
      const appender = await upload.open()
      const writing = appender.write([bytes.subarray(200_000)])
      await upload.holds(bytes.subarray(0, 200_000))
      await writing
      await upload.holds(bytes.subarray(0, 200_000))
      await appender.close()
    },
  },
  {
    name: 'an aborted signal stops a read before it begins',
    run: async (scene) => {
      const upload = await scene.complete(bytesOf(300_000))
      const reason = new Error('gone')
      const reading = upload.read({ start: 0, end: 300_000 }, AbortSignal.abort(reason))
      await assert.rejects(reading, (error) => error === reason)
    },
  },
  {
    name: 'an abort while reading rejects with its reason',
    run: async (scene) => {
      const bytes = bytesOf(1_200_000)
      const upload = await inPieces(scene, bytes)
      const controller = new AbortController()
      const reason = new Error('gone')
      let seen = 0
      const reading = async (): Promise<void> => {
        const range = { start: 0, end: bytes.byteLength }
        for await (const chunk of scene.store.read(upload.record, range, controller.signal)) {
          seen += chunk.byteLength
          controller.abort(reason)
        }
      }
      await assert.rejects(reading(), (error) => error === reason)
      assert.ok(seen > 0 && seen < bytes.byteLength, 'some bytes came before the abort')
    },
  },
  {
    name: 'a reader may leave early',
    run: async (scene) => {
      const bytes = bytesOf(1_200_000)
      const upload = await inPieces(scene, bytes)
      const range = { start: 5, end: bytes.byteLength }
      for await (const chunk of scene.store.read(upload.record, range, new AbortController().signal)) {
        assert.ok(chunk.byteLength > 0)
        break
      }
      const range2 = { start: 7, end: 1_100_000 }
      const rest = await collect(scene.store.read(upload.record, range2, new AbortController().signal))
      sameBytes(rest, bytes.subarray(7, 1_100_000))
    },
  },
]
