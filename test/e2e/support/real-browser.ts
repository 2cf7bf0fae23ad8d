import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { chromium } from 'playwright-core'

/** A Chromium that runs, or why there is none. */
export type StartedBrowser =
  | { readonly kind: 'running'; readonly browser: Browser; close(): Promise<void> }
  | { readonly kind: 'none'; readonly reason: string }

/** Makes @sparticuz/chromium unpack the libraries that it brings along; it looks at it when it is imported. */
const BRING_LIBRARIES = { AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' }

/**
 * Starts the Chromium that @sparticuz/chromium ships, with its own libraries, or with those of the machine where
 * these do not do.
 */
export async function startBrowser(): Promise<StartedBrowser> {
  // Of its own: an interrupted run would leave a broken browser in the shared one, which is then taken as it is.
  const dir = await mkdtemp(join(tmpdir(), 'carryon-chromium-'))
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true, maxRetries: 5 })
  try {
    const executablePath = await unpack(dir)
    // Its own configuration looks elsewhere; without any font Chromium crashes as soon as a file input is shown.
    const fonts = `<fontconfig><dir>${dir}/fonts</dir><dir>/usr/share/fonts</dir></fontconfig>`
    await writeFile(join(dir, 'fonts', 'fonts.conf'), fonts)
    const browser = await launch(executablePath, dir)
    const close = async (): Promise<void> => {
      await browser.close()
      await remove()
    }
    return { kind: 'running', browser, close }
  } catch (error) {
    await remove()
    return { kind: 'none', reason: error instanceof Error ? error.message : String(error) }
  }
}

async function unpack(dir: string): Promise<string> {
  const before = { ...process.env }
  Object.assign(process.env, BRING_LIBRARIES, { TMPDIR: dir })
  try {
    const { default: packed } = await import('@sparticuz/chromium')
    packed.setGraphicsMode = false
    return await packed.executablePath()
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
  }
}

async function launch(executablePath: string, dir: string): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--no-zygote']
  // Without a locale of UTF-8 Chromium picks no file whose name is more than ASCII.
  const locale = { LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' }
  const env: Record<string, string> = { FONTCONFIG_PATH: join(dir, 'fonts'), HOME: dir, ...locale }
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] ??= value
  const withMachines = { executablePath, args, env, headless: true }
  const withOwn = { ...withMachines, env: { ...env, LD_LIBRARY_PATH: join(dir, 'al2023', 'lib') } }
  return chromium.launch(withMachines).catch(() => chromium.launch(withOwn))
}
