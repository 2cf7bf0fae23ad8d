/** Where an upload stands. */
export type UploadState =
  | 'idle'
  | 'preparing'
  | 'uploading'
  | 'waiting'
  | 'paused'
  | 'complete'
  | 'failed'
  | 'cancelled'

/**
 * Whether there is an arrow from one state to another.
 *
 * ```
 * idle ─► preparing ─► uploading ─► complete
 *             ▲ │  ▲      │  ▲
 *             │ ▼  │      ▼  │
 *             │ waiting ◄────┘         waiting: for the network, the server, or another process with this upload
 *             │
 *          paused, failed              by pause() or an error; start() and resume() lead back to preparing
 * ```
 *
 * `cancelled` is reached from every state but `complete`. `complete` and `cancelled` are final. From `preparing` and
 * `waiting` the end can come as well as from `uploading`.
 */
export function mayBecome(from: UploadState, to: UploadState): boolean {
  if (isRunning(from)) return to !== 'idle' && !(from === 'uploading' && to === 'preparing')
  return !isOver(from) && (to === 'preparing' || to === 'cancelled')
}

/** Whether a run is under way: requests may be on the wire, or are waited for. */
export function isRunning(state: UploadState): boolean {
  // preparing, uploading, waiting
  return state.endsWith('ing')
}

/** Whether nothing leads on from here. */
export function isOver(state: UploadState): boolean {
  return state === 'complete' || state === 'cancelled'
}
