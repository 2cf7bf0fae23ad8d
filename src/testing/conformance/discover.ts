import { announced, type Capabilities } from './capabilities.ts'
import { Context, type Session, type Upload } from './context.ts'
import { header, type Answer } from './expect.ts'

/**
 * Asks the server what it can do. A server that does not even answer OPTIONS is an error, not a report:
 * every case would only wait for its deadline.
 */
export async function discover(
  session: Omit<Session, 'capabilities'>,
  signal: AbortSignal,
): Promise<Capabilities> {
  const base = session.url.pathname.replace(/\/*$/, '/')
  const nothing: Capabilities = {
    versions: [],
    extensions: new Set(),
    maxSizeBytes: undefined,
    checksumAlgorithms: [],
    download: false,
    cors: false,
    uploadBase: base,
  }
  const options = await new Context({ ...session, capabilities: nothing }, signal).options({
    Origin: 'https://app.example',
    'Access-Control-Request-Method': 'PATCH',
  })
  const said: Capabilities = {
    ...nothing,
    ...announced(options),
    cors: header(options, 'Access-Control-Allow-Origin') !== undefined,
  }
  if (!said.extensions.has('creation')) return said
  const ctx = new Context({ ...session, capabilities: said }, signal)
  const upload = await sample(ctx)
  try {
    return upload === undefined ? said : { ...said, ...(await look(ctx, upload)) }
  } finally {
    await tidyUp(ctx, ctx.created)
  }
}

/** Removes what a case has left behind, as far as the server offers that. Never fails. */
export async function tidyUp(ctx: Context, uploads: readonly Upload[]): Promise<void> {
  if (!ctx.has('termination')) return
  await Promise.allSettled(uploads.map(async (upload) => await ctx.terminate(upload)))
}

async function sample(ctx: Context): Promise<Upload | undefined> {
  try {
    return await ctx.finished('hello')
  } catch {
    // What is wrong here is the subject of the cases; they say it better.
    return undefined
  }
}

async function look(
  ctx: Context,
  upload: Upload,
): Promise<Pick<Capabilities, 'download' | 'cors' | 'uploadBase'>> {
  const path = upload.url.pathname
  const [download, cors] = await Promise.all([
    quietly(async () => {
      const answer = await ctx.get(upload)
      return answer.status === 200 && answer.body.length === 5
    }),
    quietly(async () => allowsOrigin(await ctx.head(upload, { Origin: 'https://app.example' }))),
  ])
  const uploadBase = path.slice(0, path.replace(/\/$/, '').lastIndexOf('/') + 1)
  return { download, cors: cors || ctx.capabilities.cors, uploadBase }
}

function allowsOrigin(answer: Answer): boolean {
  return header(answer, 'Access-Control-Allow-Origin') !== undefined
}

async function quietly(look: () => Promise<boolean>): Promise<boolean> {
  try {
    return await look()
  } catch {
    return false
  }
}
