import type { Context } from '../context.ts'
import type { Lease } from '../leases.ts'
import { removeBytes } from './cancel.ts'
import { tryAssemble } from './concatenate.ts'
import { completeFinishing, settleComplete } from './finish.ts'

/** Does what the records of these uploads say is left to do. Failures are reported and tried again later. */
export async function doChores(ctx: Context, leases: readonly Lease[]): Promise<void> {
  const toSettle: Lease[] = []
  const others: Lease[] = []
  for (const lease of leases) {
    const { chore, status } = lease.record
    if (chore === 'settle' && status === 'complete') toSettle.push(lease)
    else if (chore !== undefined) others.push(lease)
  }
  await Promise.all([
    toSettle.length === 0 ? undefined : settleComplete(ctx, toSettle),
    ...others.map((lease) => doOne(ctx, lease)),
  ])
}

/** A process without the application's handler leaves what the handler has begun to those that have it. */
async function resumeFinishing(ctx: Context, lease: Lease): Promise<void> {
  const isTheirs = lease.record.handling !== undefined && ctx.hooks.onFinish === undefined
  if (!isTheirs) await completeFinishing(ctx, lease)
}

async function doOne(ctx: Context, lease: Lease): Promise<void> {
  const { id, status, chore } = lease.record
  try {
    if (chore === 'remove') await removeBytes(ctx, lease)
    else if (status === 'finishing') await resumeFinishing(ctx, lease)
    else if ((await tryAssemble(ctx, lease)).status === 'receiving') ctx.settler.addLater(lease.record)
  } catch (error) {
    ctx.report(error, id)
    ctx.settler.addLater(lease.record)
  }
}
