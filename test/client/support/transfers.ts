import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Upload } from '../../../src/client/node.ts'
import type { UploadOptions } from '../../../src/client/options.ts'
import { afterTest } from '../../e2e/support/after-test.ts'
import { temporaryDirectory } from '../../e2e/support/temporary-directory.ts'
import type { ChaosProxy, ChaosProxyOptions } from './chaos-proxy.ts'
import { chaosProxy } from './chaos-proxy.ts'

/** Retries without the long waits of real life, and nothing remembered. */
export const HASTY: UploadOptions = {
  retryBaseMs: 5,
  retryMaxMs: 50,
  retryBudgetMs: 10_000,
  stallTimeoutMs: 5000,
  responseTimeoutMs: 5000,
  urlStorage: false,
}

/** What an upload did, besides its result. */
export interface Transfer {
  readonly url: string
  readonly bytes: number
  /** Failures that were retried, as `code status`. */
  readonly failures: readonly string[]
  readonly warnings: readonly string[]
}

/** Uploads to the end. */
export async function transfer(input: unknown, options: UploadOptions): Promise<Transfer> {
  const upload = new Upload(input, { ...HASTY, ...options })
  const failures: string[] = []
  const warnings: string[] = []
  upload.on('error', ({ error }) => failures.push(`${error.code} ${error.status ?? ''}`.trim()))
  upload.on('warning', ({ message }) => warnings.push(message))
  const { url, bytes } = await upload.start()
  return { url, bytes, failures, warnings }
}

/** A proxy until the test is over. */
export async function proxyTo(
  target: string,
  options: Omit<ChaosProxyOptions, 'target'> = {},
): Promise<ChaosProxy> {
  const proxy = await chaosProxy({ ...options, target })
  afterTest(() => proxy.close())
  return proxy
}

/** A server of the test's, closed after it. */
export async function running<T extends { close(): Promise<void> }>(server: Promise<T>): Promise<T> {
  const one = await server
  afterTest(() => one.close())
  return one
}

/** A file with these bytes until the test is over. */
export async function fileOf(bytes: Uint8Array, name = 'some file.bin'): Promise<string> {
  const path = join(await temporaryDirectory(), name)
  await writeFile(path, bytes)
  return path
}

/** The bytes as a stream that cannot go back and does not say how many they are. */
export async function* streamOf(bytes: Buffer, pieceBytes = 40_000): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    yield bytes.subarray(at, at + pieceBytes)
    await new Promise((resolve) => void setImmediate(resolve))
  }
}
