import { expect, test } from 'vitest'
import { chapters } from '../../src/testing/conformance/chapters.ts'

const cases = chapters.flatMap((chapter) => chapter.cases.map((item) => ({ chapter, item })))

/** Items of the checklist by chapter: `T-V1` to `T-V8` and so on. */
const checklist: Readonly<Record<string, number>> = {
  'T-V': 8,
  'T-O': 8,
  'T-H': 11,
  'T-P': 16,
  'T-X': 5,
  'T-C': 10,
  'T-L': 9,
  'T-M': 10,
  'T-U': 9,
  'T-E': 8,
  'T-K': 11,
  'T-KT': 4,
  'T-D': 7,
  'T-N': 14,
}

test('every item of the checklist has a case', () => {
  const ids = new Set(cases.map(({ item }) => item.id))
  const wanted = Object.entries(checklist).flatMap(([chapter, count]) =>
    Array.from({ length: count }, (_, at) => `${chapter}${at + 1}`),
  )
  expect(wanted.filter((id) => !ids.has(id))).toEqual([])
})

test('ids are unique and every case has a title and a link to a text', () => {
  const ids = cases.map(({ item }) => item.id)
  expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([])
  for (const { chapter, item } of cases) {
    expect(item.id).toMatch(/^(?:T-[A-Z]+|B-|G-)\d+[a-z]?$/)
    expect(item.title.length).toBeGreaterThan(10)
    expect(item.section ?? chapter.section).toMatch(/^https:\/\/\S+#\S+$/)
  }
})
