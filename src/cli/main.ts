import { packageVersion } from './package-version.ts'

const argv = process.argv.slice(2)

// `carryon --help | head`: who reads no more wants no stack trace.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(141)
})

// Scripts ask for it often: it is answered before anything else is loaded.
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(`${packageVersion()}\n`)
} else {
  const { run } = await import('./program.ts')
  process.exitCode = await run(argv)
}
