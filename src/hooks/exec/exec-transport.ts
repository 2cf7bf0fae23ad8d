import { statSync } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Clock } from '../../core/ports/clock.ts'
import { systemClock } from '../../core/system-clock.ts'
import { bounded } from '../bounded.ts'
import { HookError, shownText } from '../ports/hook-error.ts'
import { isDecision } from '../hook-types.ts'
import { messageOf } from '../message.ts'
import { ACCEPTED, ANSWER_BYTES, parseHookText } from '../response.ts'
import type { HookCall, HookResponse, HookTransport } from '../ports/transport.ts'
import { checkTime, DEFAULT_TIMEOUT_MS } from '../tries.ts'
import { runFile } from './run-file.ts'
import type { RunResult } from './run-file.ts'
import { Slots } from './slots.ts'

export interface ExecTransportOptions {
  /** Has one executable file per hook, named as the hook is. */
  readonly directory: string
  /**
   * Time for one run, waiting for its turn included. Then it gets SIGTERM, and what it has started too.
   *
   * @default 15_000
   */
  readonly timeoutMs?: number | undefined
  /**
   * Time from SIGTERM to SIGKILL.
   *
   * @default 2000
   */
  readonly killAfterMs?: number | undefined
  /**
   * Runs at once; more wait.
   *
   * @default 32
   */
  readonly maxProcesses?: number | undefined
  /** @default 'exec' */
  readonly name?: string | undefined
  /** @default the clock of the machine */
  readonly clock?: Clock | undefined
}

const ERROR_BYTES = 4096

/**
 * Hooks as executable files: `<directory>/<type>` is run, without a shell, with the message on its standard input and
 * its answer read from its standard output. A hook without a file accepts.
 *
 * @throws {TypeError} when there is no such directory.
 * @throws {RangeError} for a number that makes no sense.
 */
export function execTransport(options: ExecTransportOptions): HookTransport {
  return new ExecTransport(options)
}

class ExecTransport implements HookTransport {
  readonly name: string
  readonly #directory: string
  readonly #timeoutMs: number
  readonly #killAfterMs: number
  readonly #clock: Clock
  readonly #slots: Slots

  constructor(options: ExecTransportOptions) {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, killAfterMs = 2000, maxProcesses = 32 } = options
    checkTime('timeoutMs', timeoutMs, 1)
    checkTime('killAfterMs', killAfterMs, 0)
    if (!Number.isSafeInteger(maxProcesses) || maxProcesses < 1) {
      throw new RangeError('maxProcesses must be 1 or more')
    }
    this.#directory = resolve(options.directory)
    if (statSync(this.#directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new TypeError(`The directory of hooks ${this.#directory} is not a directory`)
    }
    this.name = options.name ?? 'exec'
    this.#timeoutMs = timeoutMs
    this.#killAfterMs = killAfterMs
    this.#clock = options.clock ?? systemClock
    this.#slots = new Slots(maxProcesses)
  }

  async invoke(call: HookCall, signal: AbortSignal): Promise<HookResponse> {
    signal.throwIfAborted()
    const file = join(this.#directory, call.type)
    if (!(await isThere(file))) return ACCEPTED
    const result = await this.#run(call, file, signal)
    return answerOf(call, file, result)
  }

  /** Settles when nothing runs any more: what was given up must not go on beside its repetition. */
  async #run(call: HookCall, file: string, signal: AbortSignal): Promise<RunResult> {
    let running: Promise<RunResult> | undefined
    const late = (): Error =>
      new HookError('timeout', `The hook ${file} has not ended within ${this.#timeoutMs} ms`, {
        retry: 'soon',
      })
    const bound = { clock: this.#clock, timeoutMs: this.#timeoutMs, signal, late }
    try {
      return await bounded(bound, (inner) =>
        this.#slots.use(inner, () => {
          running = this.#start(call, file, inner)
          return running
        }),
      )
    } finally {
      await running?.catch(() => undefined)
    }
  }

  async #start(call: HookCall, file: string, signal: AbortSignal): Promise<RunResult> {
    try {
      return await runFile({
        file,
        directory: this.#directory,
        environment: environmentOf(call),
        input: messageOf(call),
        outputBytes: isDecision(call.type) ? ANSWER_BYTES : undefined,
        errorBytes: ERROR_BYTES,
        killAfterMs: this.#killAfterMs,
        clock: this.#clock,
        signal,
      })
    } catch (cause) {
      throw notStarted(file, cause)
    }
  }
}

/** Everything that this process has, and what tusd gives. */
function environmentOf({ id, type, sequence, attempt, event }: HookCall): Record<string, string | undefined> {
  return {
    ...process.env,
    TUS_ID: event.Upload.ID,
    TUS_SIZE: String(event.Upload.Size),
    TUS_OFFSET: String(event.Upload.Offset),
    CARRYON_EVENT_ID: id,
    CARRYON_EVENT_TYPE: type,
    CARRYON_SEQUENCE: sequence === undefined ? '' : String(sequence),
    CARRYON_ATTEMPT: String(attempt),
  }
}

/** @throws {HookError} for a file that cannot be run. */
async function isThere(file: string): Promise<boolean> {
  const found = await stat(file).catch((cause: unknown) => {
    if (systemCode(cause) === 'ENOENT') return undefined
    throw notStarted(file, cause)
  })
  if (found === undefined) return false
  if (!found.isFile()) throw new HookError('setup', `The hook ${file} is not a file`, { retry: 'later' })
  await access(file, constants.X_OK).catch((cause: unknown) => {
    throw new HookError('setup', `The hook ${file} is not executable: chmod +x it`, { retry: 'later', cause })
  })
  return true
}

function notStarted(file: string, cause: unknown): HookError {
  const code = systemCode(cause)
  // Out of processes or memory, or it is being written right now.
  const retry = code === 'EAGAIN' || code === 'ENOMEM' || code === 'ETXTBSY' ? 'soon' : 'later'
  // It was there just now: what is missing is its interpreter.
  const hint = code === 'ENOENT' ? ': its first line must name its interpreter, as in #!/bin/sh' : ''
  return new HookError('setup', `The hook ${file} cannot be run (${code ?? 'unknown'})${hint}`, {
    retry,
    cause,
  })
}

function answerOf(call: HookCall, file: string, result: RunResult): HookResponse {
  const { exitCode, exitSignal, output, errors } = result
  if (output === undefined) {
    throw new HookError('bad-answer', `The hook ${file} wrote more than ${ANSWER_BYTES} bytes`, {
      retry: 'later',
    })
  }
  if (exitCode !== 0) {
    const how = exitCode === null ? `was ended by ${exitSignal ?? 'a signal'}` : `exited with ${exitCode}`
    const shown = errors.trim() === '' ? '' : `: ${shownText(errors)}`
    throw new HookError('refused', `The hook ${file} ${how}${shown}`, { retry: 'soon' })
  }
  if (!isDecision(call.type)) return ACCEPTED
  const response = parseHookText(output)
  if (response.ok) return response.value
  const message = `The answer of the hook ${file} is wrong: ${response.reason}. It begins: ${shownText(output)}`
  throw new HookError('bad-answer', message, { retry: 'later' })
}

function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}
