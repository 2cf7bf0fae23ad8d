import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { listening } from '../../adapters/support/stage.ts'
import { temporaryDirectory } from '../../e2e/support/temporary-directory.ts'
import { until } from '../../e2e/support/until.ts'
import type { App } from './apps.ts'
import { Child } from './child.ts'
import { npmInstall } from './npm.ts'

const BUILD_MS = 150_000
const START_MS = 30_000
const STOP_MS = 10_000

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url))

export interface ServedApp {
  readonly origin: string
  /** Where it keeps uploads. */
  readonly uploads: string
  /** All that the server has printed. */
  output(): string
  /** Asks the server to end. @throws when it, or a process of it, goes on. */
  stop(): Promise<void>
}

/** The example in an app of its framework, installed, built and started as users of it do. */
export class InstalledApp {
  readonly #app: App
  readonly #root: string
  readonly #environment: Readonly<Record<string, string>>

  private constructor(app: App, root: string) {
    this.#app = app
    this.#root = root
    // Neither what the test runner has put into the environment, nor anything that stays in the home of its user.
    const { PATH = '' } = process.env
    this.#environment = { PATH, HOME: join(root, 'home'), TMPDIR: join(root, 'tmp'), CI: '1' }
  }

  /**
   * @param tarball - Carryon, packed.
   * @returns A reason where it cannot be installed on this machine.
   */
  static async install(app: App, tarball: string): Promise<InstalledApp | string> {
    const system = `${process.platform} ${process.arch}`
    if (app.onlyOn !== undefined && app.onlyOn !== system) return `for ${app.onlyOn}, this is ${system}`
    const root = await temporaryDirectory()
    const installed = new InstalledApp(app, root)
    await installed.#write(tarball)
    return (await npmInstall(installed.#dir)) ?? installed
  }

  get #dir(): string {
    return join(this.#root, 'app')
  }

  async #write(tarball: string): Promise<void> {
    const { name, packages, files } = this.#app
    for (const folder of ['app', 'home', 'tmp']) await mkdir(join(this.#root, folder))
    const manifest = {
      name: `an-app-with-${name}`,
      private: true,
      type: 'module',
      // `adapter-node` puts everything else into its bundle.
      dependencies: { carryon: `file:${tarball}` },
      devDependencies: packages,
    }
    for (const [path, text] of Object.entries({ ...files, 'package.json': JSON.stringify(manifest) })) {
      await mkdir(dirname(join(this.#dir, path)), { recursive: true })
      await writeFile(join(this.#dir, path), text)
    }
    await cp(join(examples, name), this.#dir, { recursive: true, errorOnExist: true, force: false })
  }

  /** Makes it ready for production. */
  async build(): Promise<void> {
    const env = this.#environment
    const child = new Child({ program: process.execPath, args: this.#app.build, cwd: this.#dir, env })
    const code = await child.run(BUILD_MS)
    if (code !== 0) throw new Error(`the build ended with ${code}:\n${child.output}`)
  }

  /** Starts the production server. */
  async start(): Promise<ServedApp> {
    const port = await freePort()
    const uploads = join(this.#root, 'uploads')
    const [program = '', ...args] = this.#app.start(String(port))
    const env = {
      ...this.#environment,
      ...this.#app.environment(String(port)),
      NODE_ENV: 'production',
      UPLOADS: uploads,
    }
    const child = new Child({ program, args, cwd: await this.#built(), env })
    const origin = `http://127.0.0.1:${port}`
    await until(`${this.#app.name} answers`, () => isServing(origin, child), START_MS)
    return { origin, uploads, output: () => child.output, stop: () => child.stop(STOP_MS) }
  }

  async #built(): Promise<string> {
    const { output } = this.#app
    if (output === undefined) return this.#dir
    // Away from `node_modules`, which it must not need.
    const elsewhere = join(this.#root, 'elsewhere')
    await rename(join(this.#dir, output), elsewhere)
    await rm(this.#dir, { recursive: true })
    return elsewhere
  }
}

async function isServing(origin: string, child: Child): Promise<boolean> {
  if (child.hasEnded) throw new Error(`the server ended at start:\n${child.output}`)
  try {
    await fetch(origin)
    return true
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const running = await listening(createServer())
  await running.stop()
  return Number(new URL(running.origin).port)
}
