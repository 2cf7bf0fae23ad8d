// npm run test:runtimes [-- node22 node24 bun deno]
//
// Runs the test suite under other versions of Node, and the conformance suite against the fetch adapter with file
// store and SQLite catalog under Bun and Deno. All of them come as npm packages. The packages `node`, `bun` and
// `deno` fetch their binaries in install scripts, which npm does not run unasked; so the packages with the binaries
// are installed by their own names.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { conformance } from '../dist/testing/index.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const cache = join(root, 'node_modules', '.cache', 'carryon-runtimes')
const { platform, arch } = process
const system = platform === 'win32' ? 'windows' : platform
const exe = platform === 'win32' ? '.exe' : ''

/** Rules that a runtime keeps an adapter from following, and why: these do not count as failures. */
const NO_EXPECT = 'sends 100 Continue by itself, before the handler is called'
const NO_PHRASE = 'has its own status phrases'
const UNABLE = {
  bun: {
    'T-U8': NO_EXPECT,
    'T-K2o': NO_PHRASE,
    'B-21': 'closes the connection when a request comes while another one is being answered',
  },
  deno: {
    'T-U8': NO_EXPECT,
    'T-K2o': NO_PHRASE,
    'T-P9': 'reads a refused body to its end instead of closing the connection',
    'B-18': 'takes a request without Host',
  },
}

const RUNTIMES = [
  nodeRuntime('node22', '22.23.3'),
  nodeRuntime('node24', '24.21.0'),
  {
    name: 'bun',
    spec: `@oven/bun-${system}-${arch === 'arm64' ? 'aarch64' : arch}@1.4.5`,
    binary: (folder) => join(folder, 'bin', `bun${exe}`),
    run: (binary) => checkFetch('bun', binary, ['test/runtimes/serve-bun.mjs']),
  },
  {
    name: 'deno',
    spec: `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}@2.9.6`,
    binary: (folder) => join(folder, `deno${exe}`),
    run: (binary) => checkFetch('deno', binary, ['run', '-A', 'test/runtimes/serve-deno.mjs']),
  },
]

function nodeRuntime(name, version) {
  return {
    name,
    spec: `node-${platform === 'win32' ? 'win' : platform}-${arch}@${version}`,
    binary: (folder) =>
      platform === 'win32' ? join(folder, 'bin', 'node.exe') : join(folder, 'bin', 'node'),
    run: (binary) => runTests(name, binary),
  }
}

/** Where a runtime's binary is; installed if it is not there yet. */
function provide({ spec, binary }) {
  const at = spec.lastIndexOf('@')
  // A folder for each version: two of one package would replace each other.
  const prefix = join(cache, spec.replaceAll('/', '-'))
  const path = binary(join(prefix, 'node_modules', spec.slice(0, at)))
  if (existsSync(path)) return path
  const args = [
    'install',
    '--prefix',
    prefix,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    spec,
  ]
  const npm = spawnSync('npm', args, { stdio: 'inherit', shell: platform === 'win32' })
  if (npm.status !== 0 || !existsSync(path)) throw new Error(`${spec} could not be installed`)
  return path
}

/** The whole test suite, with every process of it under that Node. */
function runTests(name, binary) {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const env = { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env.PATH}` }
  return new Promise((resolve) => {
    const child = spawn(binary, [vitest, 'run'], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
    let tail = ''
    child.stdout.on('data', (chunk) => {
      process.stdout.write(chunk)
      tail = (tail + chunk).slice(-4000)
    })
    child.on('close', (code) => {
      const counts = /Tests: (\d+) passed, (\d+) failed, (\d+) skipped/.exec(tail)
      const [passed = 0, failed = 0, skipped = 0] = counts?.slice(1).map(Number) ?? []
      // A run that ends otherwise than its count says has failed as a whole.
      resolve({ name, passed, failed: code === 0 || failed > 0 ? failed : 1, skipped, notes: [] })
    })
  })
}

/** The conformance suite against a server in that runtime. */
async function checkFetch(name, binary, args) {
  const dir = mkdtempSync(join(tmpdir(), 'carryon-runtime-'))
  const child = spawn(binary, [...args, dir], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  try {
    const report = await conformance({ url: await urlOf(child), strict: true })
    return { name, ...judge(UNABLE[name], report.results) }
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.exitCode === null) child.kill('SIGKILL')
    await ended
    rmSync(dir, { recursive: true, force: true })
  }
}

function urlOf(child) {
  return new Promise((resolve, reject) => {
    let output = ''
    const hear = (chunk) => {
      output += chunk
      const url = /http:\/\/127\.0\.0\.1:\d+\/files\//.exec(output)
      if (url !== null) resolve(url[0])
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${output}`)))
  })
}

function judge(unable, results) {
  const notes = []
  let [passed, failed, skipped] = [0, 0, 0]
  for (const { id, title, status, message } of results) {
    if (status === 'passed') {
      passed += 1
      if (id in unable)
        notes.push(`can now  ${id}  ${title}: take it off the list in scripts/test-runtimes.mjs`)
    } else if (status === 'not-applicable') skipped += 1
    else if (id in unable) {
      skipped += 1
      notes.push(`cannot   ${id}  ${title}: ${unable[id]}`)
    } else {
      failed += 1
      notes.push(`FAILED   ${id}  ${title}: ${message}`)
    }
  }
  return { passed, failed, skipped, notes }
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !RUNTIMES.some((runtime) => runtime.name === name))
if (unknown.length > 0) throw new Error(`no such runtime: ${unknown.join(', ')}`)
const outcomes = []
for (const runtime of RUNTIMES) {
  if (wanted.length > 0 && !wanted.includes(runtime.name)) continue
  console.log(`\n=== ${runtime.name} (${runtime.spec})`)
  try {
    outcomes.push(await runtime.run(provide(runtime)))
  } catch (error) {
    outcomes.push({
      name: runtime.name,
      passed: 0,
      failed: 1,
      skipped: 0,
      notes: [`FAILED   ${String(error)}`],
    })
  }
}

console.log('')
for (const { name, passed, failed, skipped, notes } of outcomes) {
  console.log(`${name}: ${passed} passed, ${failed} failed, ${skipped} skipped or not applicable`)
  for (const note of notes) console.log(`    ${note}`)
}
const total = (key) => outcomes.reduce((sum, outcome) => sum + outcome[key], 0)
console.log(`\n${total('passed')} passed, ${total('failed')} failed, ${total('skipped')} skipped`)
process.exitCode = total('failed') > 0 ? 1 : 0
