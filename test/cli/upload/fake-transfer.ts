import { UploadEmitter } from '../../../src/client/events.ts'
import type { UploadEvents, UploadListener, UploadResult } from '../../../src/client/events.ts'
import type { UploadOptions } from '../../../src/client/options.ts'
import type { OpenTransfer, Transfer } from '../../../src/cli/upload/transfer.ts'

/** An upload that does what the test says. */
export class FakeTransfer implements Transfer {
  readonly input: unknown
  readonly options: UploadOptions
  readonly calls: string[] = []
  readonly #events = new UploadEmitter()
  #settle: { resolve(result: UploadResult): void; reject(error: unknown): void } | undefined

  constructor(input: unknown, options: UploadOptions) {
    this.input = input
    this.options = options
  }

  on<Type extends keyof UploadEvents>(type: Type, listener: UploadListener<Type>): this {
    this.#events.on(type, listener)
    return this
  }

  emit<Type extends keyof UploadEvents>(type: Type, event: UploadEvents[Type]): void {
    this.#events.emit(type, event)
  }

  progress(sent: number, accepted: number, total: number): void {
    this.emit('progress', { sent, accepted, total, bytesPerSecond: 10, secondsLeft: 1 })
  }

  start(): Promise<UploadResult> {
    this.calls.push('start')
    return new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
  }

  complete(url: string, bytes: number): void {
    this.#settle?.resolve({ url, bytes, isComplete: true })
  }

  fail(error: unknown): void {
    this.#settle?.reject(error)
  }

  pause(): Promise<void> {
    this.calls.push('pause')
    return Promise.resolve()
  }

  cancel({ terminate = false }: { readonly terminate?: boolean } = {}): Promise<void> {
    this.calls.push(terminate ? 'terminate' : 'cancel')
    return Promise.resolve()
  }

  report(): readonly [] {
    return []
  }
}

/** Hands out fakes and keeps them. */
export function fakeTransfers(): { readonly made: FakeTransfer[]; readonly open: OpenTransfer } {
  const made: FakeTransfer[] = []
  const open: OpenTransfer = (input, options) => {
    const transfer = new FakeTransfer(input, options)
    made.push(transfer)
    return transfer
  }
  return { made, open }
}
