import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { onTestFinished } from 'vitest'
import { attach } from '../../../src/adapters/node.ts'
import { memoryCatalog } from '../../../src/catalogs/memory/index.ts'
import type { Engine, EngineOptions } from '../../../src/core/engine.ts'
import { createEngine } from '../../../src/core/engine.ts'
import type { Catalog } from '../../../src/core/ports/catalog.ts'
import { nodeDigests } from '../../../src/node/digests.ts'
import type { Observability, ObservabilityOptions } from '../../../src/node/metrics/index.ts'
import { observability } from '../../../src/node/metrics/index.ts'
import type { HandlerOptions } from '../../../src/server/handler.ts'
import { createHandler } from '../../../src/server/handler.ts'
import { memoryStore } from '../../../src/stores/memory/index.ts'

export interface SceneOptions extends Omit<ObservabilityOptions, 'report'> {
  readonly engine?: Partial<EngineOptions>
  readonly handler?: Partial<HandlerOptions>
  readonly observed?: { readonly catalog?: Catalog }
}

/** A server that can be looked at. */
export interface Scene {
  readonly engine: Engine
  readonly catalog: Catalog
  readonly observed: Observability
  readonly reports: unknown[]
  readonly origin: string
  readonly port: number
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>
  /** Value of a sample as it stands in a scrape; `undefined`: it is not there. */
  sample(name: string): Promise<number | undefined>
  /** Waits until a sample has a value. */
  reaches(name: string, value: number): Promise<void>
}

export async function scene(options: SceneOptions = {}): Promise<Scene> {
  const store = options.engine?.store ?? memoryStore()
  const catalog = options.engine?.catalog ?? memoryCatalog()
  const reports: unknown[] = []
  const report = (error: unknown): void => void reports.push(error)
  const engine = createEngine({ digests: nodeDigests, ...options.engine, store, catalog, report })
  const inner = createHandler({ ...options.handler, engine, report })
  const observed = observability(engine, options.observed?.catalog ?? catalog, store, { ...options, report })
  const server = createServer()
  attach(server, observed.handler(inner))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    observed.close()
    server.closeAllConnections()
    await new Promise((resolve) => void server.close(resolve))
    if (!engine.isClosing) await engine.close(1000)
  })
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const get = (path: string, init?: RequestInit): Promise<Response> => fetch(`${origin}${path}`, init)
  const sample = async (name: string): Promise<number | undefined> =>
    sampleOf(await (await get('/metrics')).text(), name)
  return {
    engine,
    catalog,
    observed,
    reports,
    origin,
    port,
    fetch: get,
    sample,
    reaches: (name, value) => until(async () => (await sample(name)) === value, `${name} ${value}`),
  }
}

export function sampleOf(text: string, name: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1))
}

/** Asks again and again until something holds, for 10 seconds at most. */
async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = Date.now() + 10_000
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error(`never came true: ${what}`)
    await new Promise((resolve) => void setTimeout(resolve, 5))
  }
}

const TUS = { 'Tus-Resumable': '1.0.0' }

/** Creates an upload. @returns Its path. */
export async function created({ fetch }: Scene, lengthBytes: number, content?: string): Promise<string> {
  const headers = { ...TUS, 'Upload-Length': String(lengthBytes) }
  const answer = await fetch('/files/', {
    method: 'POST',
    ...(content === undefined
      ? { headers }
      : { headers: { ...headers, 'Content-Type': 'application/offset+octet-stream' }, body: content }),
  })
  if (answer.status !== 201) throw new Error(`not created: ${answer.status} ${await answer.text()}`)
  return new URL(answer.headers.get('location') ?? '').pathname
}

export function patched({ fetch }: Scene, path: string, offset: number, content: string): Promise<Response> {
  return fetch(path, {
    method: 'PATCH',
    headers: {
      ...TUS,
      'Upload-Offset': String(offset),
      'Content-Type': 'application/offset+octet-stream',
    },
    body: content,
  })
}

export function asked({ fetch }: Scene, path: string): Promise<Response> {
  return fetch(path, { method: 'HEAD', headers: TUS })
}

/** Begins a PATCH and keeps the connection. @returns Breaks it off. */
export async function begun(
  { port }: Scene,
  path: string,
  offset: number,
  content: string,
  fields: readonly string[] = [],
): Promise<() => void> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await new Promise<void>((resolve) => void socket.on('connect', resolve))
  const head = [
    `PATCH ${path} HTTP/1.1`,
    'Host: localhost',
    'Tus-Resumable: 1.0.0',
    `Upload-Offset: ${offset}`,
    'Content-Type: application/offset+octet-stream',
    'Content-Length: 1000',
    ...fields,
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${content}`)
  return () => void socket.destroy()
}
