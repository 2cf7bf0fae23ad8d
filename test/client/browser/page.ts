/* Runs inside a page, and in a worker of it: what tests do there with the client for browsers. */
import type {
  ChecksumAlgorithm,
  Progress,
  TransferErrorCode,
  UploadState,
} from '../../../src/client/browser.ts'
import * as client from '../../../src/client/browser.ts'

/** Options that can be sent to a page. */
export interface Wanted {
  readonly endpoint: string
  readonly parallel?: number
  readonly chunkSizeBytes?: number
  readonly checksum?: ChecksumAlgorithm
  readonly retryBaseMs?: number
  readonly retryMaxMs?: number
  readonly retryBudgetMs?: number
  readonly metadata?: Readonly<Record<string, string>>
  /** Gets the value of `Authorization` from the server of the page. */
  readonly asksForToken?: boolean
  readonly usesFetch?: boolean
}

/** What an upload came to. */
export interface Outcome {
  readonly url: string | undefined
  readonly bytes: number
  readonly states: readonly UploadState[]
  /** Failures that were retried, as `code status`. */
  readonly failures: readonly string[]
  readonly warnings: readonly string[]
  /** The last one. */
  readonly progress: Progress | undefined
  /** Whether neither `sent` nor `accepted` ever went back. */
  readonly isSteady: boolean
  readonly error?: {
    readonly name: string
    readonly code: TransferErrorCode
    readonly hint: string | undefined
    readonly status: number | undefined
  }
}

interface Running {
  readonly upload: client.Upload
  readonly outcome: Promise<Outcome>
}

let running: Running | undefined

/** Starts to upload the picked file. */
export function begin(wanted: Wanted): void {
  running = start(picked(), wanted)
}

/** Waits for what `begin` has started. */
export function outcome(): Promise<Outcome> {
  return current().outcome
}

export function upload(wanted: Wanted): Promise<Outcome> {
  begin(wanted)
  return outcome()
}

/** Uploads what only a page has. */
export async function uploadKind(kind: keyof typeof kinds, wanted: Wanted): Promise<Outcome> {
  return start(await kinds[kind](picked()), wanted).outcome
}

const kinds = {
  stream: (file: File): unknown => file.stream(),
  bytes: (file: File): unknown => file.arrayBuffer(),
  async handle(file: File): Promise<unknown> {
    const directory = await navigator.storage.getDirectory()
    const handle = await directory.getFileHandle(file.name, { create: true })
    const writable = await handle.createWritable()
    await file.stream().pipeTo(writable)
    return handle
  },
}

/** Resolves when the running upload is in this state. */
export function reached(state: UploadState): Promise<void> {
  const { upload } = current()
  return new Promise((resolve) => {
    if (upload.state === state) resolve()
    upload.on('state', (event) => event.state === state && resolve())
  })
}

export async function pause(): Promise<UploadState> {
  const { upload } = current()
  await upload.pause()
  return upload.state
}

export function resume(): void {
  // Its result comes by `outcome()`.
  current()
    .upload.resume()
    .catch(() => undefined)
}

export async function cancel(): Promise<void> {
  await current().upload.cancel({ terminate: true })
}

/** What is remembered of the picked file, and of all files. */
export async function remembered(wanted: Wanted): Promise<{ readonly found: number; readonly all: number }> {
  const [found, all] = await Promise.all([
    client.findPreviousUploads(picked(), wanted),
    client.indexedDbUrlStorage().list(),
  ])
  return { found: found.length, all: all.length }
}

export async function inWorker(wanted: Wanted): Promise<Outcome> {
  const worker = new Worker('/worker.js')
  try {
    return await new Promise((resolve, reject) => {
      worker.addEventListener('message', ({ data }: MessageEvent<Outcome>) => resolve(data))
      worker.addEventListener('error', ({ message }) => reject(new Error(message)))
      worker.postMessage({ file: picked(), wanted })
    })
  } finally {
    worker.terminate()
  }
}

/** The worker's side of it. */
export function serve(): void {
  addEventListener('message', ({ data }: MessageEvent<{ readonly file: File; readonly wanted: Wanted }>) => {
    void start(data.file, data.wanted).outcome.then((found) => postMessage(found))
  })
}

/** The calls that are no upload, on one that is complete. */
export async function otherCalls(endpoint: string, url: string): Promise<unknown> {
  const { checksumAlgorithms, extensions, versions } = await client.serverInfo(endpoint)
  const { offset, length, metadata } = await client.getOffset(url)
  const pieces: BlobPart[] = []
  const write = (piece: Uint8Array): void => void pieces.push(new Uint8Array(piece))
  const { receivedBytes } = await client.download(url, { write })
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(pieces).arrayBuffer())
  await client.terminate(url)
  const gone = await client.getOffset(url).catch((error: unknown) => describe(error))
  const offers = { checksums: [...checksumAlgorithms], extensions: [...extensions], versions: [...versions] }
  return { offers, offset, length, metadata, receivedBytes, sha256: hex(new Uint8Array(digest)), gone }
}

function picked(): File {
  const file = document.querySelector('input')?.files?.[0]
  if (file === undefined) throw new Error('no file is picked')
  return file
}

function current(): Running {
  if (running === undefined) throw new Error('nothing was begun')
  return running
}

function start(input: unknown, { asksForToken, usesFetch, ...options }: Wanted): Running {
  const upload = new client.Upload(input, {
    ...options,
    ...(asksForToken === true && { auth: () => tokenOfServer() }),
    ...(usesFetch === true && { transport: client.fetchTransport() }),
  })
  return { upload, outcome: watched(upload) }
}

async function tokenOfServer(): Promise<string> {
  return (await fetch('/token')).text()
}

async function watched(upload: client.Upload): Promise<Outcome> {
  const states: UploadState[] = []
  const failures: string[] = []
  const warnings: string[] = []
  let progress: Progress | undefined
  let isSteady = true
  upload.on('state', ({ state }) => states.push(state))
  upload.on('warning', ({ message }) => warnings.push(message))
  upload.on('error', ({ error }) => failures.push(`${error.code} ${error.status ?? ''}`.trim()))
  upload.on('progress', (event) => {
    isSteady &&= event.sent >= (progress?.sent ?? 0) && event.accepted >= (progress?.accepted ?? 0)
    progress = event
  })
  const error = await upload.start().then(() => undefined, describe)
  const { url, offset: bytes } = upload
  return { url, bytes, states, failures, warnings, progress, isSteady, ...(error && { error }) }
}

function describe(error: unknown): NonNullable<Outcome['error']> {
  if (!client.isTransferError(error)) throw error
  const { name, code, hint, status } = error
  return { name, code, hint, status }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
