import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { execTransport } from '../../src/hooks/exec/exec-transport.ts'
import { grpcTransport } from '../../src/hooks/grpc/grpc-transport.ts'
import { HOOK_TYPES } from '../../src/hooks/hook-types.ts'
import { httpTransport } from '../../src/hooks/http/http-transport.ts'
import { listenerTransport } from '../../src/hooks/listener.ts'
import type { HookCall, HookResponse } from '../../src/hooks/ports/transport.ts'
import type { TusdUpload } from '../../src/hooks/ports/transport.ts'
import type {
  HeardCall,
  HookBehaviour,
  HookPeer,
  HookTransportUnderTest,
} from '../../src/testing/hook-contract.ts'
import type { Application, Received } from './tusd-hook-server.ts'
import { GrpcHookServer, grpcFaults, grpcResponse, HttpHookServer, faults } from './tusd-hook-server.ts'

/* The other ends of the transports, each acting as the contract wants it to. */

interface Timed {
  readonly timeoutMs: number
}

const HUGE = { HTTPResponse: { Body: 'x'.repeat(80 * 1024) } }

/** What is to be done in the next call. */
class Script {
  #now: HookBehaviour = 'nothing'
  #once: HookBehaviour | undefined

  next(): HookBehaviour {
    const behaviour = this.#once ?? this.#now
    this.#once = undefined
    return behaviour
  }

  async behave(behaviour: HookBehaviour): Promise<void> {
    this.#now = behaviour
  }

  async behaveOnce(behaviour: HookBehaviour): Promise<void> {
    this.#once = behaviour
  }
}

function heardOf({ Type, Event, Carryon }: Received): HeardCall {
  return {
    type: Type,
    id: String(Carryon?.['EventID']),
    attempt: Number(Carryon?.['Attempt']),
    upload: Event.Upload,
  }
}

function echo(upload: TusdUpload): object {
  return { ChangeFileInfo: { MetaData: { echo: upload.ID } } }
}

const silent: Application = () => ({})

export async function httpUnderTest({ timeoutMs }: Timed): Promise<HookTransportUnderTest> {
  const server = await HttpHookServer.start(silent)
  const transport = httpTransport({ url: server.url, timeoutMs, backoffMs: 20 })
  const script = new Script()
  server.fault = (request, response) => {
    const behaviour = script.next()
    const json = (body: object): void =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    const last = server.received.at(-1)
    if (behaviour === 'nothing') response.writeHead(204).end()
    else if (behaviour === 'garbage') faults.garbage()(request, response)
    else if (behaviour === 'silence') faults.silence(request, response)
    else if (behaviour === 'failure') faults.status(503)(request, response)
    else if (behaviour === 'huge') json(HUGE)
    else if (behaviour === 'echo') json(last === undefined ? {} : echo(last.Event.Upload))
    else json(behaviour.answer)
  }
  const peer: HookPeer = {
    behave: (behaviour) => script.behave(behaviour),
    behaveOnce: (behaviour) => script.behaveOnce(behaviour),
    heard: async () => server.received.map(heardOf),
    stop: () => server.stop(),
    start: () => server.start(),
  }
  const dispose = async (): Promise<void> => {
    await transport.close?.()
    await server.stop()
  }
  return { transport, peer, dispose }
}

export async function grpcUnderTest({ timeoutMs }: Timed): Promise<HookTransportUnderTest> {
  const server = await GrpcHookServer.start(silent)
  const transport = await grpcTransport({ address: server.address, timeoutMs, backoffMs: 20 })
  const script = new Script()
  server.fault = (call, answer) => {
    const behaviour = script.next()
    if (behaviour === 'nothing') answer(null, {})
    else if (behaviour === 'garbage') answer(null, Buffer.from([0xff, 0xff, 0xff]))
    else if (behaviour === 'silence') grpcFaults.silence(call, answer)
    else if (behaviour === 'failure') grpcFaults.status(status.UNAVAILABLE)(call, answer)
    else if (behaviour === 'huge') answer(null, grpcResponse(HUGE))
    else if (behaviour === 'echo')
      answer(null, grpcResponse({ ChangeFileInfo: { MetaData: { echo: call.request.event.upload.id } } }))
    else answer(null, grpcResponse(behaviour.answer))
  }
  const peer: HookPeer = {
    behave: (behaviour) => script.behave(behaviour),
    behaveOnce: (behaviour) => script.behaveOnce(behaviour),
    heard: async () => server.received.map(heardOf),
    stop: () => server.stop(),
    start: () => server.start(),
  }
  const dispose = async (): Promise<void> => {
    await transport.close?.()
    await server.stop()
  }
  return { transport, peer, dispose }
}

/** Does what the files beside it say. */
const SCRIPT = `#!/bin/sh
message=$(cat)
printf '%s\\n' "$message" >> heard
if [ -f once ]; then behaviour=$(cat once); rm once; else behaviour=$(cat now); fi
case "$behaviour" in
  echo) printf '{"ChangeFileInfo":{"MetaData":{"echo":"%s"}}}' "$TUS_ID" ;;
  garbage) echo 'Hello!' ;;
  silence) sleep 600 ;;
  failure) echo 'no database' >&2; exit 1 ;;
  huge) cat huge ;;
  answer) cat answer ;;
esac
`

export async function execUnderTest({ timeoutMs }: Timed): Promise<HookTransportUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'carryon-hooks-'))
  const put = (name: string, text: string): Promise<void> => writeFile(join(directory, name), text)
  const chmodAll = async (mode: number): Promise<void> => {
    for (const type of HOOK_TYPES) await chmod(join(directory, type), mode)
  }
  for (const type of HOOK_TYPES) await put(type, SCRIPT)
  await chmodAll(0o755)
  await put('huge', JSON.stringify(HUGE))
  await put('now', 'nothing')
  const behave = async (when: 'now' | 'once', behaviour: HookBehaviour): Promise<void> => {
    if (typeof behaviour === 'object') await put('answer', JSON.stringify(behaviour.answer))
    await put(when, typeof behaviour === 'object' ? 'answer' : behaviour)
  }
  const peer: HookPeer = {
    behave: (behaviour) => behave('now', behaviour),
    behaveOnce: (behaviour) => behave('once', behaviour),
    async heard() {
      const text = await readFile(join(directory, 'heard'), 'utf8').catch(() => '')
      const lines = text.split('\n').filter((line) => line !== '')
      return lines.map((line) => heardOf(JSON.parse(line) as Received))
    },
    stop: () => chmodAll(0o644),
    start: () => chmodAll(0o755),
  }
  const transport = execTransport({ directory, timeoutMs, killAfterMs: 500 })
  return { transport, peer, dispose: () => rm(directory, { recursive: true, force: true }) }
}

export async function listenerUnderTest({ timeoutMs }: Timed): Promise<HookTransportUnderTest> {
  const heard: HeardCall[] = []
  const script = new Script()
  let isAway = false
  const listener = async (call: HookCall): Promise<HookResponse> => {
    if (isAway) throw new Error('nobody is there')
    const { type, id, attempt, event } = call
    heard.push({ type, id, attempt, upload: event.Upload })
    const behaviour = script.next()
    if (behaviour === 'nothing') return {}
    if (behaviour === 'garbage') return 'Hello!' as unknown as HookResponse
    if (behaviour === 'silence') return new Promise<HookResponse>(() => undefined)
    if (behaviour === 'failure') throw new Error('no database')
    if (behaviour === 'huge') return HUGE
    return behaviour === 'echo' ? echo(event.Upload) : behaviour.answer
  }
  const peer: HookPeer = {
    behave: (behaviour) => script.behave(behaviour),
    behaveOnce: (behaviour) => script.behaveOnce(behaviour),
    heard: async () => heard,
    stop: async () => void (isAway = true),
    start: async () => void (isAway = false),
  }
  return { transport: listenerTransport(listener, { timeoutMs }), peer, dispose: async () => undefined }
}
