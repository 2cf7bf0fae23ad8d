import { expect, test } from 'vitest'
import { openBrowserSource } from '../../../src/client/sources/open-browser.ts'
import { bytesIn, failure, never, options, utf8 } from './reading.ts'

/** What a file picker hands out. */
function picked(given: object, kind: 'File' | 'Directory' = 'File'): object {
  return Object.assign(Object.create({ [Symbol.toStringTag]: `FileSystem${kind}Handle` }), given)
}

test.each<[string, unknown, boolean]>([
  ['a string, which is content', 'häh😀', true],
  ['a Blob', new Blob(['häh😀']), true],
  ['bytes', utf8('häh😀'), true],
  ['a stream', new Blob(['häh😀']).stream(), false],
  ['an iterable', ['h', 'äh', '😀'], false],
  ['a picked file', picked({ getFile: async () => new Blob(['häh😀']) }), true],
])('%s', async (_name, input, isRewindable) => {
  const source = await openBrowserSource(input, options({ startBytes: 1 }))
  expect(source.isRewindable).toBe(isRewindable)
  const slice = await source.slice(0, 100, never)
  expect(slice).toMatchObject({ sizeBytes: 7, isLast: true })
  expect(Buffer.from(await bytesIn(slice)).toString()).toBe('äh😀')
  await source.close()
})

test('a picked file keeps its name', async () => {
  const file = Object.assign(new Blob(['x']), { name: 'x.txt', lastModified: 7 })
  const source = await openBrowserSource(picked({ getFile: async () => file }), options())
  expect(source.traits).toMatchObject({ name: 'x.txt', modifiedMs: 7 })
})

test('a picked directory, and a file that is gone, are clear errors', async () => {
  const directory = picked({ async *[Symbol.asyncIterator]() {} }, 'Directory')
  expect(await failure(openBrowserSource(directory, options()))).toMatchObject({
    code: 'source',
    message: 'a directory was picked',
  })
  const cause = new Error('gone')
  const gone = picked({ getFile: () => Promise.reject(cause) })
  expect(await failure(openBrowserSource(gone, options()))).toMatchObject({ code: 'source', cause })
})
