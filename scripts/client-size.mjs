/**
 * Measures what the client weighs in a browser: bundled by rolldown, minified, gzip level 9.
 *
 * `node scripts/client-size.mjs` prints a table; `--modules` adds what each module brings in.
 */
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'

const CLIENT = fileURLToPath(new URL('../src/client/', import.meta.url))

/**
 * What is measured: the goal in bytes (1 kB = 1000 bytes), and what it may weigh as long as the goal is not reached.
 * A ceiling is only ever lowered.
 */
export const BUNDLES = {
  core: { goalBytes: 8000, ceilingBytes: 8000, code: `export { Upload } from '${CLIENT}core.ts'` },
  everything: { goalBytes: 14_000, ceilingBytes: 15_980, code: `export * from '${CLIENT}browser.ts'` },
}

/**
 * Bundles one entry as a page's bundler would.
 *
 * @param {string} code - The source text of the entry.
 * @returns {Promise<{ gzipBytes: number, minifiedBytes: number, imports: string[], modules: Map<string, string> }>}
 * Sizes, what is left to import, and the rendered modules by their path.
 */
export async function measure(code) {
  const entry = {
    name: 'entry',
    resolveId: (id) => (id === 'entry' ? id : undefined),
    load: (id) => (id === 'entry' ? code : undefined),
  }
  const bundle = await rolldown({
    input: 'entry',
    plugins: [entry],
    platform: 'browser',
    external: [/^node:/],
    logLevel: 'silent',
  })
  // Hints for bundlers are of no use in a page.
  const chunkOf = async (minify) =>
    (await bundle.generate({ format: 'esm', minify, comments: false })).output[0]
  const minified = await chunkOf(true)
  const plain = await chunkOf(false)
  await bundle.close()
  const modules = Object.entries(plain.modules).filter(([id]) => id !== 'entry')
  return {
    minifiedBytes: Buffer.byteLength(minified.code),
    gzipBytes: gzipSync(minified.code, { level: 9 }).length,
    imports: [...minified.imports, ...minified.dynamicImports],
    modules: new Map(modules.map(([id, { code }]) => [id, code ?? ''])),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, { goalBytes, ceilingBytes, code }] of Object.entries(BUNDLES)) {
    const { gzipBytes, minifiedBytes, modules } = await measure(code)
    const verdict = gzipBytes > ceilingBytes ? 'TOO LARGE' : gzipBytes > goalBytes ? 'above the goal' : 'ok'
    const sizes = `${String(gzipBytes).padStart(7)} bytes, goal ${goalBytes}, ceiling ${ceilingBytes}`
    console.log(`${name.padEnd(12)}${sizes}: ${verdict} (minified ${minifiedBytes})`)
    if (!process.argv.includes('--modules')) continue
    const rows = [...modules].map(([id, text]) => [gzipSync(text).length, id.slice(id.indexOf('/src/') + 5)])
    for (const [bytes, id] of rows.sort(([a], [b]) => b - a))
      console.log(`  ${String(bytes).padStart(6)} ${id}`)
  }
}
