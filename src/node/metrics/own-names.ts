import type { UploadEventType } from '../../core/ports/hooks.ts'
import type { SweepReport } from '../reaper.ts'
import { codeLabel, methodLabel, statusLabel } from './labels.ts'
import type { Gauge } from './library.ts'
import type { MetricMaker } from './maker.ts'
import type { Recorder } from './recorder.ts'

const EVENT_LABEL: Readonly<Record<UploadEventType, string>> = {
  'post-create': 'created',
  'post-finish': 'complete',
  'post-terminate': 'terminated',
  'upload-expired': 'expired',
  'upload-failed': 'failed',
}
const SWEPT_KINDS: readonly (keyof SweepReport)[] = [
  'expired',
  'tombstone',
  'orphan',
  'old',
  'record',
  'unfinished',
  'claim',
  'dead-claim',
]

const REQUEST_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 30, 120, 600, 3600]
/** From one small request to an upload that went on for a week. */
const UPLOAD_SECONDS = [0.01, 0.1, 1, 10, 60, 600, 3600, 21_600, 86_400, 604_800]
const KIB = 1024
const UPLOAD_BYTES = [KIB, 64 * KIB, KIB ** 2, 16 * KIB ** 2, 256 * KIB ** 2, KIB ** 3, 16 * KIB ** 3]

/** Counts under our own names, all of which start with `carryon_`. */
export function ownNames(make: MetricMaker): Recorder {
  const transfers = transferMetrics(make)
  const uploads = uploadMetrics(make)
  return { ...requestMetrics(make), ...transfers, ...uploads }
}

function requestMetrics(make: MetricMaker): Pick<Recorder, 'requestBegan' | 'requestEnded'> {
  const requests = make.counter(
    'carryon_requests_total',
    'Answered requests by method and status. Status none: the connection broke, or a newer request took over.',
    ['method', 'status'],
  )
  const durations = make.histogram(
    'carryon_request_duration_seconds',
    'Time from a request to its answer, its content included; that of a download is sent after it.',
    REQUEST_SECONDS,
    ['method'],
  )
  const errors = make.counter('carryon_errors_total', 'Refused requests by status and code.', [
    'status',
    'code',
  ])
  const running = new Level(make.gauge('carryon_requests_running', 'Requests that wait for their answer.'))
  return {
    requestBegan: () => running.add(1),
    requestEnded(methodText, outcome, seconds) {
      running.add(-1)
      if (outcome === 'not-ours') return
      const method = methodLabel(methodText)
      const status = statusLabel(outcome)
      requests.inc({ method, status })
      durations.observe({ method }, seconds)
      if (outcome !== undefined && outcome.status >= 400) errors.inc({ status, code: codeLabel(outcome) })
    },
  }
}

type Transfers = Pick<Recorder, 'contentBegan' | 'contentEnded' | 'bytesReceived' | 'resumed' | 'bytesLost'>

function transferMetrics(make: MetricMaker): Transfers {
  const running = new Level(
    make.gauge('carryon_uploads_running', 'Uploads that a request brings content to at this moment.'),
  )
  const received = make.counter('carryon_received_bytes_total', 'Content bytes of uploads that have come in.')
  const resumes = make.counter(
    'carryon_resumes_total',
    'Uploads that went on behind their first byte after a break.',
  )
  const lost = make.counter(
    'carryon_lost_bytes_total',
    'Content bytes that had come in over a connection that broke and were not there when the upload went on.',
  )
  return {
    contentBegan: () => running.add(1),
    contentEnded: () => running.add(-1),
    bytesReceived: (bytes) => received.inc(bytes),
    resumed: () => resumes.inc(),
    bytesLost: (bytes) => lost.inc(bytes),
  }
}

function uploadMetrics(make: MetricMaker): Pick<Recorder, 'happened' | 'swept'> {
  const uploads = make.counter('carryon_uploads_total', 'Uploads by what has become of them.', ['event'])
  const durations = make.histogram(
    'carryon_upload_duration_seconds',
    'Time from the creation of an upload to its completion, breaks included.',
    UPLOAD_SECONDS,
  )
  const sizes = make.histogram('carryon_upload_size_bytes', 'Sizes of complete uploads.', UPLOAD_BYTES)
  const found = make.counter('carryon_janitor_found_total', 'Things that the janitor has found, by kind.', [
    'kind',
  ])
  const foundBytes = make.counter('carryon_janitor_found_bytes_total', 'Their bytes.', ['kind'])
  // From zero: a rate over a counter that appears with its first event misses that event.
  for (const event of Object.values(EVENT_LABEL)) uploads.inc({ event }, 0)
  for (const kind of SWEPT_KINDS) found.inc({ kind }, 0)
  return {
    happened(type, { createdAtMs, finishedAtMs, offset }) {
      uploads.inc({ event: EVENT_LABEL[type] })
      if (type !== 'post-finish') return
      sizes.observe(offset)
      // Clocks are set back now and then; a negative time would spoil the sum.
      if (finishedAtMs !== undefined) durations.observe(Math.max(0, finishedAtMs - createdAtMs) / 1000)
    },
    swept(report) {
      for (const kind of SWEPT_KINDS) {
        const { count, sizeBytes } = report[kind] ?? { count: 0, sizeBytes: 0 }
        found.inc({ kind }, count)
        foundBytes.inc({ kind }, sizeBytes)
      }
    },
  }
}

/** Something that goes up and down. */
class Level {
  readonly #gauge: Gauge
  #value = 0

  constructor(gauge: Gauge) {
    this.#gauge = gauge
    gauge.set(0)
  }

  add(difference: number): void {
    this.#value += difference
    this.#gauge.set(this.#value)
  }
}
