/** How a body ended. A cut body never completes anything, even when the byte count fits. */
export type BodyEnd =
  | {
      readonly kind: 'complete'
      /** Trailer fields by lower-case name; empty where the request had none. */
      readonly trailers: ReadonlyMap<string, string>
    }
  | { readonly kind: 'cut' }

/** Receives a body. Neither function may throw. */
export interface BodySink {
  data(chunk: Uint8Array): void
  end(end: BodyEnd): void
}

/**
 * A request body that is pushed: pulling it (`for await`, `stream.pipeline`) loses bytes that had
 * already arrived when the client goes away.
 */
export interface Body {
  /** Content bytes announced by `Content-Length`; `undefined` when unknown (chunked). `0`: there is no body. */
  readonly contentLength: number | undefined
  /** Starts delivery. Called at most once; nothing is read from the connection before it. */
  consume(sink: BodySink): void
  /** Back-pressure: no `data` until `resume`. A chunk already on its way may still arrive. */
  pause(): void
  resume(): void
  /** The rest is not wanted: no `data` and no `end` after this call. */
  stop(): void
}
