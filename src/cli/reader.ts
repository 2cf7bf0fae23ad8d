const { stdout } = process

/** `carryon --help | head`: whoever prints for a reader who has left ends like any command in a pipe (SIGPIPE). */
export function endWithReader(): void {
  stdout.on('error', end)
}

/** The work of this command is not what it prints: it goes on when nobody reads that any more. */
export function outliveReader(): void {
  stdout.off('error', end).on('error', () => undefined)
}

function end(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit(141)
}
