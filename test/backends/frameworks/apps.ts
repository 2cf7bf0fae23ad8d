/** An app as its framework's starter makes it, into which an example of ours is put. */
export interface App {
  /** Folder in `examples/`. */
  readonly name: string
  /** What is installed beside Carryon: the exact versions that are tested. */
  readonly packages: Readonly<Record<string, string>>
  /** The app around the example: it says `the rest of the app` at `/`. */
  readonly files: Readonly<Record<string, string>>
  /** What makes it ready for production: a script with its arguments, run by Node. */
  readonly build: readonly string[]
  /** Where it is on one system only (`process.platform` and `process.arch`). */
  readonly onlyOn?: string
  /** What it is started with: the program and its arguments. */
  start(port: string): readonly string[]
  /** How its server is told where to listen, and what it needs besides. */
  environment(port: string): Readonly<Record<string, string>>
  /** The part of the built app that runs without the rest. @default all of it */
  readonly output?: string
  /** Paths at which it takes uploads. */
  readonly endpoints: readonly string[]
}

const HOST = '127.0.0.1'

const next: App = {
  name: 'next',
  packages: {
    next: '16.4.6',
    react: '19.3.1',
    'react-dom': '19.3.1',
    '@types/node': '20.19.43',
    '@types/react': '19.3.0',
    typescript: '5.9.3',
  },
  files: {
    'app/layout.tsx': `export default function Layout({ children }: LayoutProps<'/'>) {
  return <html><body>{children}</body></html>
}
`,
    'app/page.tsx': 'export default function Page() { return <p>the rest of the app</p> }\n',
  },
  build: ['node_modules/next/dist/bin/next', 'build'],
  start: (port) => [process.execPath, 'node_modules/next/dist/bin/next', 'start', '-H', HOST, '-p', port],
  environment: () => ({ NEXT_TELEMETRY_DISABLED: '1' }),
  endpoints: ['/files', '/api/files'],
}

const nuxt: App = {
  name: 'nuxt',
  packages: { nuxt: '4.4.5' },
  files: { 'app/app.vue': '<template><p>the rest of the app</p></template>\n' },
  build: ['node_modules/nuxt/bin/nuxt.mjs', 'build'],
  // The example names the native module of this system.
  onlyOn: 'linux x64',
  start: () => [process.execPath, 'server/index.mjs'],
  environment: (port) => ({ HOST, PORT: port, NUXT_TELEMETRY_DISABLED: '1' }),
  output: '.output',
  endpoints: ['/files/'],
}

const sveltekit: App = {
  name: 'sveltekit',
  packages: {
    '@sveltejs/adapter-node': '5.5.7',
    '@sveltejs/kit': '2.70.4',
    '@sveltejs/vite-plugin-svelte': '6.2.4',
    svelte: '5.57.3',
    vite: '7.3.8',
  },
  files: {
    'vite.config.js': `import { sveltekit } from '@sveltejs/kit/vite'
export default { plugins: [sveltekit()] }
`,
    'svelte.config.js': `import adapter from '@sveltejs/adapter-node'
export default { kit: { adapter: adapter() } }
`,
    'src/app.html':
      '<!doctype html><html><head>%sveltekit.head%</head><body>%sveltekit.body%</body></html>\n',
    'src/routes/+page.svelte': '<p>the rest of the app</p>\n',
  },
  build: ['node_modules/vite/bin/vite.js', 'build'],
  start: () => [process.execPath, 'build'],
  // Without `ORIGIN`, adapter-node takes it for granted that clients come over https.
  environment: (port) => ({
    HOST,
    PORT: port,
    ORIGIN: `http://${HOST}:${port}`,
    BODY_SIZE_LIMIT: 'Infinity',
  }),
  endpoints: ['/files/'],
}

const elysia: App = {
  name: 'elysia',
  packages: { bun: '1.4.5', elysia: '1.4.30' },
  files: {},
  // Puts the binary of this system, which is installed as a package too, in its place.
  build: ['node_modules/bun/install.js'],
  start: () => ['node_modules/bun/bin/bun.exe', 'main.ts'],
  environment: (port) => ({ PORT: port }),
  endpoints: ['/files/'],
}

export const APPS: readonly App[] = [next, nuxt, sveltekit, elysia]
