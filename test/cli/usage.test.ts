import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { serveSettings } from '../../src/cli/serve-settings.ts'
import { run, stopAll } from './command.ts'
import type { StagedPackage } from './staged-package.ts'
import { stagePackage } from './staged-package.ts'

let carryon: StagedPackage

beforeAll(() => {
  carryon = stagePackage()
})
afterEach(stopAll)
afterAll(() => carryon.remove())

test('--version prints the version and nothing else', async () => {
  const { code, stdout, stderr } = await run(carryon.bin, ['--version'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
})

test('the help of serve shows every setting with its flag and its variable', async () => {
  const { code, stdout } = await run(carryon.bin, ['serve', '--help'])
  expect(code).toBe(0)
  // Long descriptions are wrapped.
  const text = stdout.replaceAll(/\s+/g, ' ')
  const keys = Object.keys(serveSettings)
  expect(keys).toHaveLength(41)
  for (const key of keys) {
    const flag = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    expect(text).toMatch(new RegExp(` --(?:no-)?${flag} `))
    expect(text).toMatch(
      new RegExp(`CARRYON_${flag.replaceAll('-', '_').toUpperCase()}(?:=(?:false|true))?\\)`),
    )
  }
  expect(text).toContain('(default: 24h; CARRYON_EXPIRE_AFTER)')
})

test('the help lists the commands', async () => {
  const { code, stdout } = await run(carryon.bin, ['--help'])
  expect(code).toBe(0)
  for (const name of ['serve', 'clean', 'events', 'import', 'conformance'])
    expect(stdout).toContain(`\n  ${name} `)
})

test('without a command the help goes to standard error', async () => {
  const { code, stdout, stderr } = await run(carryon.bin, [])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain('Commands:')
})

test.each([
  [['sevre'], /unknown command 'sevre' \(did you mean serve\?\)/],
  [['serve', '--prot', '1'], /unknown option '--prot' \(did you mean --port\?\); see carryon serve --help/],
  [['serve', '--port'], /option '--port <PORT>' argument missing/],
  [['serve', '--port', 'x'], /--port must be a whole number from 0 to 65535, not "x"/],
  [['serve', 'uploads'], /too many arguments/],
  [['serve', '--x\n\u001b[31mred'], /unknown option/],
  [['clean', '--dir', ''], /--dir must be a path/],
  [['conformance'], /missing required argument 'URL'/],
  [['conformance', 'files'], /not an http or https URL: "files"/],
  [['conformance', 'http://127.0.0.1:1/', '--only', 'T-X'], /no case has the id T-X/],
  [['conformance', 'http://127.0.0.1:1/', '--timeout', '3'], /must be a duration/],
  [['conformance', 'http://127.0.0.1:1/', '--header', 'x'], /NAME: VALUE/],
])('%j is a usage error in one line', async (args, message) => {
  const { code, stdout, stderr } = await run(carryon.bin, args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^carryon: [^\p{Cc}]+\n$/u)
  expect(stderr).toMatch(message)
})

test('what is not built says how to build it', async () => {
  const clone = stagePackage(false)
  const { code, stderr } = await run(clone.bin, ['serve'])
  clone.remove()
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'carryon: not built yet: run "npm run build" first\n' })
})
