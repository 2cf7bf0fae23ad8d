import { rmSync } from 'node:fs'
import { rolldown } from 'rolldown'

/*
 * `carryon` starts from a few files instead of two hundred: loading modules was most of its start. The two workers
 * keep their names and lie beside the rest, because they are found by them.
 */
const dist = new URL('../dist/', import.meta.url)
const at = (path) => new URL(path, dist).pathname

const bundle = await rolldown({
  input: {
    main: at('cli/main.js'),
    worker: at('catalogs/sqlite/worker.js'),
    'settle-worker': at('stores/file/settle-worker.js'),
  },
  platform: 'node',
  // It finds its binary beside itself.
  external: ['@photostructure/sqlite', '@grpc/grpc-js', '@grpc/proto-loader'],
  logLevel: 'warn',
})
await bundle.write({
  dir: at('command/'),
  format: 'esm',
  minify: false,
  chunkFileNames: '[name]-[hash].js',
  entryFileNames: '[name].js',
})
rmSync(at('cli/'), { recursive: true })
