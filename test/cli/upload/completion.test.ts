import { spawnSync } from 'node:child_process'
import { Command } from 'commander'
import { expect, test } from 'vitest'
import { addSettings } from '../../../src/cli/settings.ts'
import { completionScript, isShell } from '../../../src/cli/upload/completion-script.ts'
import { uploadSettings } from '../../../src/cli/upload/settings.ts'

function commands(): readonly Command[] {
  const upload = new Command('upload').summary("upload somebody's files")
  addSettings(upload, uploadSettings)
  const completion = new Command('completion').summary('print completions')
  return [upload, completion]
}

/** What bash would offer after these words. */
function offered(...words: readonly string[]): readonly string[] {
  const script = `${completionScript('bash', commands())}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _carryon; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' })
  expect(stderr).toBe('')
  return stdout.split('\n').filter((word) => word !== '')
}

test('bash completes commands, flags and shells, and leaves the rest to files', () => {
  expect(offered('carryon', 'up')).toEqual(['upload'])
  expect(offered('carryon', 'upload', '--ch')).toEqual(['--chunk-size', '--checksum'])
  expect(offered('carryon', 'upload', '--no-re')).toEqual(['--no-recursive', '--no-resume'])
  expect(offered('carryon', 'upload', 'big')).toEqual([])
  expect(offered('carryon', 'upload', '--jobs', '-')).toEqual([])
  expect(offered('carryon', 'completion', '')).toEqual(['bash', 'zsh', 'fish'])
})

test('zsh and fish know every flag that the help shows', () => {
  const [upload] = commands()
  const shown = upload!.options.filter(({ hidden }) => !hidden).map(({ long }) => long!)
  const zsh = completionScript('zsh', commands())
  const fish = completionScript('fish', commands())
  for (const flag of shown) {
    expect(zsh).toContain(`'*${flag}[`)
    expect(fish).toContain(` -l ${flag.slice(2)} `)
  }
  expect(zsh).toContain("'upload:upload somebody’s files'")
  expect(zsh).not.toContain('CARRYON_')
})

test('only three shells are known', () => {
  expect(['bash', 'zsh', 'fish', 'sh', ''].map(isShell)).toEqual([true, true, true, false, false])
})
