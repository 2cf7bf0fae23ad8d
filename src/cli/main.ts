import { packageVersion } from './package-version.ts'
import { endWithReader } from './reader.ts'

const argv = process.argv.slice(2)

endWithReader()

// Scripts ask for it often: it is answered before anything else is loaded.
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(`${packageVersion()}\n`)
} else {
  const { run } = await import('./program.ts')
  process.exitCode = await run(argv)
}
