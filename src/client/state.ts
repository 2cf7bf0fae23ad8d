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
 * The arrows between the states; there are no others.
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
 * `cancelled` is reached from every state but `complete`. `complete` and `cancelled` are final.
 */
const ARROWS: Readonly<Record<UploadState, readonly UploadState[]>> = {
  idle: ['preparing', 'cancelled'],
  preparing: ['uploading', 'waiting', 'paused', 'complete', 'failed', 'cancelled'],
  uploading: ['waiting', 'paused', 'complete', 'failed', 'cancelled'],
  waiting: ['preparing', 'uploading', 'paused', 'complete', 'failed', 'cancelled'],
  paused: ['preparing', 'cancelled'],
  failed: ['preparing', 'cancelled'],
  complete: [],
  cancelled: [],
}

export function mayBecome(from: UploadState, to: UploadState): boolean {
  return ARROWS[from].includes(to)
}

/** Whether a run is under way: requests may be on the wire, or are waited for. */
export function isRunning(state: UploadState): boolean {
  return state === 'preparing' || state === 'uploading' || state === 'waiting'
}
