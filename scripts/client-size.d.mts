/** What a bundle of the client weighs in a page, and what it is made of. */
export interface Measured {
  readonly minifiedBytes: number
  readonly gzipBytes: number
  /** What is left to import. */
  readonly imports: readonly string[]
  /** The rendered modules by their path. */
  readonly modules: ReadonlyMap<string, string>
}

export interface Bundle {
  readonly goalBytes: number
  readonly ceilingBytes: number
  /** The source text of its entry. */
  readonly code: string
}

export declare const BUNDLES: { readonly core: Bundle; readonly everything: Bundle }

export declare function measure(code: string): Promise<Measured>
