import { describe, test } from 'vitest'
import { hookTransportContract } from '../../src/testing/hook-contract.ts'
import { execUnderTest, grpcUnderTest, httpUnderTest, listenerUnderTest } from './peers.ts'

describe.each([
  ['HTTP', httpUnderTest],
  ['executable files', execUnderTest],
  ['gRPC', grpcUnderTest],
  ['a listener', listenerUnderTest],
] as const)('%s', (_, factory) => {
  hookTransportContract({ test, factory })
})
