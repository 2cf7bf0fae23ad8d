import type { IntakeEnd, Pace } from '../../src/core/intake.ts'
import { Intake } from '../../src/core/intake.ts'
import { MemoryBudget } from '../../src/core/memory-budget.ts'
import { Ticker } from '../../src/core/ticker.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { PushBody } from '../support/push-body.ts'
import { PACE, RecordingAppender } from '../support/recording-appender.ts'

export const KIB = 1024
export const MIB: number = 1024 * KIB

export interface Scene {
  readonly clock: FakeClock
  readonly body: PushBody
  readonly appender: RecordingAppender
  readonly budget: MemoryBudget
  readonly intake: Intake
  readonly end: Promise<IntakeEnd>
  /** When progress was recorded: the written bytes at that moment. */
  readonly checkpoints: number[]
  /** The end, if it has come. */
  readonly ended: () => IntakeEnd | undefined
}

export interface SceneOptions {
  readonly appender?: RecordingAppender
  readonly roomBytes?: number
  readonly memoryBytes?: number
  readonly pace?: Partial<Pace>
  readonly checkpoint?: () => Promise<void>
}

/** An intake that runs, fed by hand, into an appender that is watched. */
export function scene(options: SceneOptions = {}): Scene {
  const clock = new FakeClock()
  const body = new PushBody()
  const appender = options.appender ?? new RecordingAppender()
  const budget = new MemoryBudget(options.memoryBytes ?? 64 * MIB)
  const checkpoints: number[] = []
  const intake = new Intake({
    body,
    appender,
    budget,
    ticker: new Ticker(clock, 100),
    clock,
    pace: { ...PACE, ...options.pace },
    roomBytes: options.roomBytes ?? Number.POSITIVE_INFINITY,
    digest: undefined,
    checkpoint() {
      checkpoints.push(appender.content.length)
      return options.checkpoint?.() ?? Promise.resolve()
    },
  })
  const end = intake.run(clock.nowMs())
  let last: IntakeEnd | undefined
  void end.then((known) => (last = known))
  return { clock, body, appender, budget, intake, end, checkpoints, ended: () => last }
}
