import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StartedBrowser } from '../../e2e/support/real-browser.ts'
import { startBrowser } from '../../e2e/support/real-browser.ts'

/**
 * Starts Chromium with the fonts that come with it. Their own configuration looks for them elsewhere, and without any
 * font Chromium crashes as soon as a file input is shown.
 */
export async function startBrowserWithFonts(): Promise<StartedBrowser> {
  const dir = await mkdtemp(join(tmpdir(), 'carryon-browser-'))
  const fonts = join(dir, 'fonts.conf')
  await writeFile(fonts, `<fontconfig><dir>${dir}</dir><dir>/usr/share/fonts</dir></fontconfig>`)
  // It is unpacked into the temporary directory, so the fonts lie below this one.
  const restore = setEnvironment({ TMPDIR: dir, FONTCONFIG_FILE: fonts })
  const started = await startBrowser().finally(restore)
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true, maxRetries: 5 })
  if (started.kind === 'none') {
    await remove()
    return started
  }
  const close = async (): Promise<void> => {
    await started.close()
    await remove()
  }
  return { ...started, close }
}

function setEnvironment(values: Readonly<Record<string, string>>): () => void {
  const before = { ...process.env }
  Object.assign(process.env, values)
  return () => {
    for (const name of Object.keys(values)) {
      const value = before[name]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
