import { createHash } from 'node:crypto'
import type { CallOptions, CallPlatform } from '../../client/calls.ts'
import { getOffset } from '../../client/calls.ts'
import { download } from '../../client/download.ts'
import { isTransferError } from '../../client/errors.ts'
import { Requester } from '../../client/requester.ts'
import { CliError } from '../cli-error.ts'
import { failureLine, failureOf } from './failure.ts'

/** A server to ask, and how. */
export interface Server {
  readonly platform: CallPlatform
  readonly options: CallOptions
}

// RFC 9530 §2: a dictionary of byte sequences.
const SHA_256 = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/
const DIFFERENT =
  'the server has other bytes than were read here: SHA-256 differs; delete it and send it again'

/**
 * Compares a complete upload with what was sent: by the digest that the server gives (RFC 9530), else by reading the
 * upload back.
 *
 * @param sha256 - Of what was sent.
 * @returns What was found, in words.
 * @throws {CliError} when it differs, or cannot be compared.
 */
export async function verifyContent(server: Server, url: string, sha256: Buffer): Promise<string> {
  const given = await digestOf(server, url)
  if (given !== undefined) {
    if (!given.equals(sha256)) throw new CliError(1, DIFFERENT)
    return 'verified: the digest of the server is the same'
  }
  const read = await readBack(server, url)
  if (!read.equals(sha256)) throw new CliError(1, DIFFERENT)
  return 'verified: the server gives no digest, so it was read back; every byte is the same'
}

/** Asks whether a server has all of an upload, `--expect-complete`. */
export async function expectComplete(server: Server, url: string, bytes: number): Promise<string> {
  const { offset, length } = await getOffset(server.platform, url, server.options)
  if (offset === bytes && length === bytes) return `the server confirms all ${bytes} bytes`
  const declared = length === undefined ? 'no length' : `the length ${length}`
  throw new CliError(
    1,
    `the server has ${offset} of ${bytes} bytes and ${declared}: the upload is not complete`,
  )
}

/** One byte is asked for: the digest is always that of the whole. */
async function digestOf({ platform, options }: Server, url: string): Promise<Buffer | undefined> {
  const signal = options.signal ?? new AbortController().signal
  const headers = { Range: 'bytes=0-0', 'Want-Repr-Digest': 'sha-256=10' }
  // A server that cannot be reached now is one that gives no digest; reading back tries again and says why.
  const response = await new Requester(platform, options)
    .send({ method: 'GET', url, headers, signal })
    .catch((error: unknown) => {
      if (isTransferError(error)) return undefined
      throw error
    })
  const [, digest] = SHA_256.exec(response?.header('Repr-Digest') ?? '') ?? []
  return digest === undefined ? undefined : Buffer.from(digest, 'base64')
}

async function readBack({ platform, options }: Server, url: string): Promise<Buffer> {
  let hash = createHash('sha256')
  const sink = {
    write: (chunk: Uint8Array): void => void hash.update(chunk),
    restart: (): void => void (hash = createHash('sha256')),
  }
  try {
    await download(platform, url, { ...options, sink })
  } catch (error) {
    if (!isTransferError(error)) throw error
    const why = failureLine(failureOf(error))
    throw new CliError(1, `sent, but not verified: the server gives no digest and cannot be read: ${why}`, {
      cause: error,
    })
  }
  return hash.digest()
}
