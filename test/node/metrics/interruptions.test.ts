import { expect, test } from 'vitest'
import { newUploadId } from '../../../src/core/new-upload-id.ts'
import { Interruptions } from '../../../src/node/metrics/interruptions.ts'

const newId = () => newUploadId((bytes) => crypto.getRandomValues(bytes))

function watching() {
  const seen = { resumes: 0, lostBytes: 0 }
  const interruptions = new Interruptions({
    resumed: () => void (seen.resumes += 1),
    bytesLost: (bytes) => void (seen.lostBytes += bytes),
  })
  return { seen, interruptions }
}

test('a resume after a restart is known by the question for the offset', () => {
  const { seen, interruptions } = watching()
  const id = newId()
  interruptions.retrieved(id, 500)
  interruptions.begin({ id, from: 500 })
  expect(seen).toEqual({ resumes: 1, lostBytes: 0 })
})

test('lost bytes are counted once, by whoever learns of them first', () => {
  const { seen, interruptions } = watching()
  const arrival = { id: newId(), from: 100 }
  interruptions.begin(arrival)
  interruptions.end(arrival, 50, true)
  interruptions.retrieved(arrival.id, 120)
  interruptions.retrieved(arrival.id, 120)
  interruptions.begin({ id: arrival.id, from: 120 })
  expect(seen).toEqual({ resumes: 1, lostBytes: 30 })
})

test('a request whose successor has begun says nothing any more', () => {
  const { seen, interruptions } = watching()
  const id = newId()
  const first = { id, from: 0 }
  const second = { id, from: 10 }
  interruptions.begin(first)
  interruptions.begin(second)
  interruptions.end(first, 10, true)
  interruptions.end(second, 10, false)
  interruptions.begin({ id, from: 20 })
  expect(seen).toEqual({ resumes: 1, lostBytes: 0 })
})

test('what has come to its end is forgotten, and only the latest ten thousand are remembered', () => {
  const { seen, interruptions } = watching()
  const ended = newId()
  interruptions.retrieved(ended, 5)
  interruptions.forget(ended)
  interruptions.begin({ id: ended, from: 5 })
  const ids = Array.from({ length: 10_001 }, newId)
  for (const id of ids) interruptions.retrieved(id, 5)
  for (const id of ids) interruptions.begin({ id, from: 5 })
  expect(seen.resumes).toBe(10_000)
})
