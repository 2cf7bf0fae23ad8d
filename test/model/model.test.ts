import type { AsyncCommand } from 'fast-check'
import {
  array,
  assert,
  asyncModelRun,
  asyncProperty,
  boolean,
  commands,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  record,
  tuple,
} from 'fast-check'
import type { Arbitrary } from 'fast-check'
import { expect, test } from 'vitest'
import { Append, Cancel, Hang, Race, Resolve, Retrieve } from './upload-commands.ts'
import { Concatenate, Crash, Create, Restart, Wait } from './world-commands.ts'
import type { Real } from './step.ts'
import type { Model } from './model.ts'
import type { System } from './system.ts'
import { diskSystem, memorySystem } from './system.ts'

/** More of them for a night: `CARRYON_MODEL_RUNS=20000 npx vitest run test/model`. */
const RUNS = process.env['CARRYON_MODEL_RUNS']
const SEED = process.env['CARRYON_MODEL_SEED']
const index = nat(7)
const share = constantFrom(0, 0.1, 0.5, 0.9, 1)
const size = oneof(integer({ min: 0, max: 200 }), integer({ min: 60_000, max: 200_000 }))

type Step = AsyncCommand<Model, Real>

const create: Arbitrary<Step> = record({
  size,
  seed: nat(1000),
  isPartial: boolean(),
  isDeferred: boolean(),
  share: constantFrom(0, 0, 0.5, 1),
}).map((wish) => new Create(wish))
const append: Arbitrary<Step> = record({
  index,
  share,
  manner: constantFrom(
    'announced',
    'announced',
    'chunked',
    'cut',
    'checked',
    'wrongly checked',
    'too long',
    'misplaced',
  ),
}).map((wish) => new Append(wish))
const hang: Arbitrary<Step> = tuple(index, share).map(([at, much]) => new Hang(at, much))
const retrieve: Arbitrary<Step> = index.map((at) => new Retrieve(at))
const race: Arbitrary<Step> = tuple(index, tuple(share, share)).map(([at, shares]) => new Race(at, shares))
const rare: readonly Arbitrary<Step>[] = [
  tuple(index, constantFrom('end', 'cut')).map(([at, how]) => new Resolve(at, how)),
  index.map((at) => new Cancel(at)),
  array(index, { minLength: 1, maxLength: 3 }).map((indices) => new Concatenate(indices)),
  constant(new Crash()),
  constant(new Restart()),
  tuple(constantFrom(25, 25, 25, 70), boolean()).map(([minutes, sweeps]) => new Wait(minutes, sweeps)),
]
// What stands here several times comes more often.
const steps = [create, create, append, append, append, append, hang, hang, race, retrieve, retrieve, ...rare]

const seen = new Map<string, number>()

async function runs(make: () => System | Promise<System>, numRuns: number): Promise<void> {
  await assert(
    asyncProperty(commands(steps, { maxCommands: 60, size: 'max' }), async (cmds) => {
      const real: Real = { system: await make(), codes: [] }
      try {
        await asyncModelRun(() => ({ model: { uploads: [] }, real }), cmds)
      } finally {
        await real.system.dispose()
      }
      for (const code of real.codes) seen.set(code, (seen.get(code) ?? 0) + 1)
    }),
    {
      numRuns: RUNS === undefined ? numRuns : Number(RUNS),
      ...(SEED === undefined ? {} : { seed: Number(SEED) }),
      interruptAfterTimeLimit: RUNS === undefined ? 60_000 : 86_400_000,
      markInterruptAsFailure: false,
    },
  )
}

/** What the commands must have reached. A model that never sees a refusal proves little. */
const WANTED = [
  'none',
  'created',
  'crashed',
  'restarted',
  'waited',
  'ERR_MISMATCHED_OFFSET',
  'ERR_UPLOAD_STOPPED',
  'ERR_UPLOAD_INTERRUPTED',
  'ERR_CHECKSUM_MISMATCH',
  'ERR_UPLOAD_SIZE_EXCEEDED',
  'ERR_UPLOAD_GONE',
  'ERR_MODIFY_FINAL',
  'ERR_SERVER_SHUTDOWN',
]

// The seed and the path of a failure stand in its message.
test('memory store and memory catalog', { timeout: 90_000_000 }, async () => {
  await runs(memorySystem, 300)
  expect([...seen.keys()]).toEqual(expect.arrayContaining(WANTED))
})

test('file store and SQLite catalog', { timeout: 90_000_000 }, () => runs(diskSystem, 60))
