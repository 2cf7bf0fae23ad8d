import { spawnSync } from 'node:child_process'

/*
 * Tests that need more of a machine than Node: what is missing is installed where that is possible, and a test that
 * cannot run says why.
 */
const wanted = [
  ['mkfs.xfs', 'xfsprogs'],
  ['mkfs.ext4', 'e2fsprogs'],
]

const run = (command, ...args) =>
  spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0
const has = (tool) => run('sh', '-c', `command -v ${tool}`)

const lacking = wanted.filter(([tool]) => !has(tool)).map(([, name]) => name)
if (lacking.length > 0 && process.getuid?.() === 0 && has('apt-get')) {
  console.log(`installing ${lacking.join(', ')}`)
  run('apt-get', 'update', '-qq')
  if (!run('apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...lacking)) {
    console.warn('not installed: what needs it will not run')
  }
}

const vitest = ['vitest', 'run', '--config', 'vitest.backends.config.ts', ...process.argv.slice(2)]
process.exitCode = spawnSync('npx', vitest, { stdio: 'inherit' }).status ?? 1
