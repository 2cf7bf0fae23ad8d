import { Argument } from 'commander'
import { usageError } from './cli-error.ts'
import { quote } from './one-line.ts'
import type { Declare } from './program.ts'

const EXPLANATION = `
  bash:  echo 'source <(carryon completion bash)' >> ~/.bashrc
  zsh:   carryon completion zsh > "\${fpath[1]}/_carryon"
  fish:  carryon completion fish > ~/.config/fish/completions/carryon.fish`

/** `carryon completion bash|zsh|fish`. */
export const declare: Declare = (command, _finish, loadAll) => {
  command
    .description('Prints the script that lets a shell complete commands and options.')
    .addArgument(new Argument('<SHELL>', 'bash, zsh or fish'))
    .addHelpText('after', EXPLANATION)
    .action(async (shell: string) => {
      const { completionScript, isShell } = await import('./upload/completion-script.ts')
      if (!isShell(shell)) throw usageError(`the shell must be bash, zsh or fish, not ${quote(shell)}`)
      process.stdout.write(completionScript(shell, await loadAll()))
    })
}
