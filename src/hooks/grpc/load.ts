import type * as Grpc from '@grpc/grpc-js'
import type * as ProtoLoader from '@grpc/proto-loader'
import { HOOK_PROTO } from './proto.ts'

export interface GrpcParts {
  readonly grpc: typeof Grpc
  readonly method: Grpc.MethodDefinition<object, object>
}

/**
 * Loads what gRPC needs: packages that nobody has to install who does not use it.
 *
 * @throws {TypeError} when they are not there; says what to install.
 */
export async function loadGrpc(): Promise<GrpcParts> {
  const [grpc, loader] = await importBoth()
  // Not built for emptiness: proto3 cannot tell it from absence, and absence is what changes nothing.
  const proto = HOOK_PROTO as Parameters<typeof loader.fromJSON>[0]
  const definitions = loader.fromJSON(proto, { keepCase: true, longs: Number, defaults: false })
  const service = definitions['proto.HookHandler'] as Grpc.ServiceDefinition
  const method = service['InvokeHook']
  if (method === undefined) throw new TypeError('@grpc/proto-loader does not read the service of the hooks')
  return { grpc, method }
}

async function importBoth(): Promise<[typeof Grpc, typeof ProtoLoader]> {
  try {
    return await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')])
  } catch (cause) {
    const how = 'npm install @grpc/grpc-js @grpc/proto-loader'
    throw new TypeError(`Hooks by gRPC need two packages that cannot be loaded here: ${how}`, { cause })
  }
}
