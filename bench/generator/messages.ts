import { z } from 'zod'

export const commandSchema: z.ZodType<Command> = z.discriminatedUnion('command', [
  z.object({
    command: z.literal('prepare'),
    workload: z.string(),
    variant: z.string().optional(),
    amount: z.number(),
    port: z.number(),
  }),
  z.object({ command: z.literal('run') }),
  z.object({ command: z.literal('verify') }),
])

/** What the harness asks of the load generator. One at a time; each gets one {@link Reply}. */
export type Command =
  | {
      command: 'prepare'
      workload: string
      variant?: string | undefined
      amount: number
      port: number
    }
  | { command: 'run' }
  | { command: 'verify' }

const loadSchema = z.object({ operations: z.number(), bytes: z.number(), wallMs: z.number() })

export const replySchema: z.ZodType<Reply> = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('done'), load: loadSchema.optional() }),
  z.object({ outcome: z.literal('failed'), message: z.string() }),
])

export type Reply =
  | { outcome: 'done'; load?: { operations: number; bytes: number; wallMs: number } | undefined }
  | { outcome: 'failed'; message: string }
