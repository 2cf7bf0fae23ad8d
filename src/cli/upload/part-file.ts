import type { FileHandle } from 'node:fs/promises'
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { DownloadSink } from '../../client/download.ts'

/** What is known of a download that was interrupted. */
interface Beginning {
  readonly startBytes: number
  readonly etag: string
}

/**
 * A download on its way: `<file>.part` with the bytes, `<file>.part.json` with the address and the entity tag under
 * which they were given. Without the second the first is worth nothing: it could be of other content.
 */
export class PartFile {
  readonly #path: string
  readonly #url: string
  readonly #handle: FileHandle
  readonly beginning: Beginning | undefined
  #position: number
  #seenEtag: string | undefined
  #notedEtag: string | undefined

  private constructor(file: {
    readonly path: string
    readonly url: string
    readonly handle: FileHandle
    readonly beginning: Beginning | undefined
  }) {
    this.#path = file.path
    this.#url = file.url
    this.#handle = file.handle
    this.beginning = file.beginning
    this.#position = file.beginning?.startBytes ?? 0
    this.#seenEtag = this.#notedEtag = file.beginning?.etag
  }

  /** Opens what an earlier run left for this address, or begins. */
  static async open(path: string, url: string): Promise<PartFile> {
    const beginning = await beginningOf(path, url)
    const handle = await open(`${path}.part`, beginning === undefined ? 'w' : 'r+')
    return new PartFile({ path, url, handle, beginning })
  }

  get sink(): DownloadSink {
    return {
      write: async (chunk) => {
        await this.#note()
        for (let written = 0; written < chunk.length;) {
          const rest = chunk.subarray(written)
          const { bytesWritten } = await this.#handle.write(rest, 0, rest.length, this.#position)
          written += bytesWritten
          this.#position += bytesWritten
        }
      },
      restart: async () => {
        this.#seenEtag = undefined
        await this.#note()
        await this.#handle.truncate(0)
        this.#position = 0
      },
    }
  }

  /** The tag under which the bytes are given; noted with the next of them. */
  seen(etag: string | undefined): void {
    this.#seenEtag = etag
  }

  async #note(): Promise<void> {
    const etag = this.#seenEtag
    if (etag === this.#notedEtag) return
    const beside = `${this.#path}.part.json`
    if (etag === undefined) await rm(beside, { force: true })
    else await writeFile(beside, JSON.stringify({ url: this.#url, etag }))
    this.#notedEtag = etag
  }

  /** Everything is there: the file gets its name. */
  async complete(): Promise<void> {
    // It may have been longer, from an earlier run.
    await this.#handle.truncate(this.#position)
    await this.#handle.sync()
    await this.#handle.close()
    await rename(`${this.#path}.part`, this.#path)
    await rm(`${this.#path}.part.json`, { force: true })
  }

  /** Leaves it for another run. */
  async leave(): Promise<void> {
    if (this.#position > 0) await this.#note()
    await this.#handle.close()
    if (this.#position > 0) return
    await rm(`${this.#path}.part`, { force: true })
    await rm(`${this.#path}.part.json`, { force: true })
  }
}

async function beginningOf(path: string, url: string): Promise<Beginning | undefined> {
  try {
    const { size } = await stat(`${path}.part`)
    const noted: unknown = JSON.parse(await readFile(`${path}.part.json`, 'utf8'))
    if (typeof noted !== 'object' || noted === null) return undefined
    const isSame = 'url' in noted && noted.url === url
    const etag = 'etag' in noted && typeof noted.etag === 'string' ? noted.etag : undefined
    return isSame && etag !== undefined && size > 0 ? { startBytes: size, etag } : undefined
  } catch {
    return undefined
  }
}
