import { concurrent, slowUploads } from './concurrent.ts'
import { checksumPatch, eightMiBPatches, getDownload, oneMiBPatches, onePatch } from './large.ts'
import { creates, headsAlone, headsTogether } from './lookups.ts'
import { smallPostPatch, smallWithUpload } from './small.ts'
import type { Workload } from './workload.ts'

/** Every workload, in the order of the report. Add one by adding it here. */
export const workloads: readonly Workload[] = [
  onePatch,
  eightMiBPatches,
  oneMiBPatches,
  smallPostPatch,
  smallWithUpload,
  creates,
  headsAlone,
  headsTogether,
  concurrent,
  slowUploads,
  checksumPatch,
  getDownload,
  { kind: 'start', name: 'start', title: 'start to first answer', needs: [] },
]
