import { expect, test } from 'vitest'
import { downloadSettings } from '../../../src/cli/upload/download-settings.ts'
import { EXIT_CODES } from '../../../src/cli/upload/exit-codes.ts'
import { uploadSettings } from '../../../src/cli/upload/settings.ts'
import { readText } from './scene.ts'

const page = readText(new URL('../../../docs/cli.md', import.meta.url).pathname)

test('the page tells the exit codes of the help', () => {
  const rows = Object.entries(EXIT_CODES).map(([code, meaning]) => `| ${code} | ${meaning} |`)
  expect(page).toContain(['| code | meaning |', '|---|---|', ...rows].join('\n'))
})

test('the page names no option that is not there', () => {
  const known = Object.keys({ ...uploadSettings, ...downloadSettings }).map((key) =>
    key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
  )
  const named = [...page.matchAll(/(?<![\w-])--(?:no-)?([a-z][a-z-]+)/g)].map(([, name]) => name)
  expect(named.length).toBeGreaterThan(20)
  expect(
    named.filter((name) => !known.includes(name ?? '') && !['forget', 'help'].includes(name ?? '')),
  ).toEqual([])
})
