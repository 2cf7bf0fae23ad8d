import { FETCH_STAGES } from './fetch-stages.ts'
import { FRAMEWORK_STAGES } from './framework-stages.ts'
import { NODE_STAGES } from './node-stages.ts'
import type { Stage } from './stage.ts'

/** Every way to serve uploads that the contract runs over. */
export const STAGES: readonly Stage[] = [...NODE_STAGES, ...FRAMEWORK_STAGES, ...FETCH_STAGES]
