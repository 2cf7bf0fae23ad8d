import { codeLabel, methodLabel, statusLabel } from './labels.ts'
import type { MetricMaker } from './maker.ts'
import type { Recorder } from './recorder.ts'

const nothing = (): void => undefined

/** Counts under the names of tusd, so that its dashboards and alarms go on. */
export function tusdNames(make: MetricMaker): Recorder {
  const requests = make.counter('tusd_requests_total', 'Total number of requests served by method.', [
    'method',
  ])
  const errors = make.counter('tusd_errors_total', 'Total number of errors per status.', ['status', 'code'])
  const received = make.counter('tusd_bytes_received', 'Number of bytes received for uploads.')
  const created = make.counter('tusd_uploads_created', 'Number of created uploads.')
  const finished = make.counter('tusd_uploads_finished', 'Number of finished uploads.')
  const terminated = make.counter('tusd_uploads_terminated', 'Number of terminated uploads.')
  return {
    requestBegan: nothing,
    requestEnded(method, outcome) {
      if (outcome === 'not-ours') return
      requests.inc({ method: methodLabel(method) })
      if (outcome !== undefined && outcome.status >= 400)
        errors.inc({ status: statusLabel(outcome), code: codeLabel(outcome) })
    },
    contentBegan: nothing,
    contentEnded: nothing,
    bytesReceived: (bytes) => received.inc(bytes),
    resumed: nothing,
    bytesLost: nothing,
    happened(type) {
      if (type === 'post-create') created.inc()
      if (type === 'post-finish') finished.inc()
      if (type === 'post-terminate') terminated.inc()
    },
    swept: nothing,
  }
}
