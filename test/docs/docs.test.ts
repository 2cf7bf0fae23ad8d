import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { errorsPage } from '../../scripts/errors-table.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

test('the page of error codes says what the registry says', () => {
  expect(read('docs/errors.md')).toBe(errorsPage())
})

test('the examples in the README are the examples that run', () => {
  const readme = read('README.md')
  const included = [...readme.matchAll(/<!-- include: (?<path>\S+) -->\n```ts\n(?<code>[\s\S]*?)```/g)]
  expect(included.length).toBe(8)
  for (const { groups } of included) expect(groups?.['code']).toBe(read(groups?.['path'] ?? ''))
})

test('examples for an app stay under ten lines', () => {
  for (const path of [
    'examples/node-http/main.ts',
    'examples/fetch-handler/main.ts',
    'examples/upload-script/main.ts',
  ]) {
    const lines = read(path)
      .split('\n')
      .filter((line) => line.trim() !== '')
    expect(lines.length, path).toBeLessThan(10)
  }
})

test('the frameworks in the README are those that the tests run', () => {
  const between = (path: string, name: string): string | undefined =>
    new RegExp(`<!-- ${name}:start -->\\n([\\s\\S]*?)<!-- ${name}:end -->`).exec(read(path))?.[1]
  expect(between('README.md', 'frameworks')).toBe(between('docs/frameworks.md', 'matrix'))
})

test('every page that the README links to exists', () => {
  for (const [, target = ''] of read('README.md').matchAll(/\]\((?!http)(?<target>[^)#]+)\)/g)) {
    if (!target.endsWith('/')) expect(() => read(target), target).not.toThrow()
  }
})
