import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Stage } from './support/stage.ts'
import { STAGES } from './support/stages.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')
const page = read('docs/frameworks.md')

const INCLUDED = /<!-- include: (?<path>\S+) -->\n```ts\n(?<code>[\s\S]*?)```/g

test('the code on the page of frameworks is that of the examples', () => {
  const included = [...page.matchAll(INCLUDED)]
  const names = included.map(({ groups }) => groups?.['path']?.split('/')[1])
  expect(names.join(' ')).toBe('express fastify koa hono h3 elysia next next next nuxt nuxt sveltekit')
  for (const { groups } of included) expect(groups?.['code']).toBe(read(groups?.['path'] ?? ''))
})

test('an app serves uploads in under ten lines', () => {
  for (const { groups } of page.matchAll(INCLUDED)) {
    const { path = '', code = '' } = groups ?? {}
    const lines = code.split('\n').filter((line) => line.trim() !== '')
    if (!path.endsWith('.config.ts')) expect(lines.length, path).toBeLessThan(10)
  }
})

function row({ name, adapter, asFunctions, onNode }: Stage): string {
  const cells = [
    name,
    `\`carryon/adapters/${adapter}\``,
    asFunctions === undefined ? 'real server' : '**functions**',
    onNode ? 'yes' : 'no',
    onNode ? 'is reset' : 'is answered 409',
  ]
  return `| ${cells.join(' | ')} |\n`
}

test('the matrix of frameworks is what the contract runs over', () => {
  const matrix = /<!-- matrix:start -->\n[^\n]*\n[^\n]*\n(?<rows>[\s\S]*)<!-- matrix:end -->/.exec(page)
  expect(matrix?.groups?.['rows']).toBe(STAGES.map(row).join(''))
})

test('every adapter in the matrix is a module of the package', () => {
  const { exports } = JSON.parse(read('package.json')) as {
    readonly exports: Readonly<Record<string, unknown>>
  }
  for (const { adapter } of STAGES) {
    expect(Object.keys(exports)).toContain(`./adapters/${adapter}`)
    expect(existsSync(new URL(`src/adapters/${adapter}.ts`, root))).toBe(true)
  }
})

test('links of the page lead somewhere', () => {
  for (const [, target = ''] of page.matchAll(/\]\((?!http)(?<target>[^)#]+)\)/g)) {
    expect(existsSync(new URL(target, new URL('docs/', root))), target).toBe(true)
  }
})

test('adapters import no framework, and stay small', () => {
  const adapters = [...new Set(STAGES.map(({ adapter }) => adapter)), 'once', 'served', 'body-consumed']
  for (const adapter of adapters) {
    const text = read(`src/adapters/${adapter}.ts`)
    expect(text.split('\n').length, adapter).toBeLessThan(120)
    for (const [, from = ''] of text.matchAll(/from '(?<from>[^']+)'/g)) expect(from).toMatch(/^(?:\.|node:)/)
  }
})
