import type { Command, Option } from 'commander'

const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

interface Flag {
  /** `--jobs`, and `-j` where there is one. */
  readonly names: readonly string[]
  readonly takesValue: boolean
  /** The value is a path. */
  readonly takesPath: boolean
  readonly description: string
}

interface Completed {
  readonly name: string
  readonly summary: string
  readonly flags: readonly Flag[]
}

const PATH_PLACEHOLDERS = new Set(['FILE', 'DIR', 'PATH', 'LIST'])

export function isShell(text: string): text is Shell {
  return SHELLS.some((shell) => shell === text)
}

/** A script that completes the names of commands and flags; files everywhere else. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  const completed = commands.map((command): Completed => ({
    name: command.name(),
    summary: command.summary(),
    flags: [...command.options.filter((option) => !option.hidden).map(flagOf), HELP],
  }))
  switch (shell) {
    case 'bash':
      return bash(completed)
    case 'zsh':
      return zsh(completed)
    case 'fish':
      return fish(completed)
  }
}

const HELP: Flag = {
  names: ['-h', '--help'],
  takesValue: false,
  takesPath: false,
  description: 'show this help',
}

function flagOf(option: Option): Flag {
  const [, placeholder] = /<(.+)>/.exec(option.flags) ?? []
  return {
    names: [option.short, option.long].filter((name) => typeof name === 'string'),
    takesValue: placeholder !== undefined,
    takesPath: placeholder !== undefined && PATH_PLACEHOLDERS.has(placeholder),
    // Without the default and the variable, which make it too long for a menu.
    description: option.description.replace(/ \([^()]*CARRYON_[^()]*\)$/, ''),
  }
}

function bash(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, flags }) => {
    const words = flags.flatMap(({ names }) => names).join(' ')
    const values = flags.filter(({ takesValue, takesPath }) => takesValue && !takesPath)
    const names = values.flatMap(({ names }) => names).join('|')
    const stop = names === '' ? '' : `      case "$before" in ${names}) return ;; esac\n`
    return `    ${name})\n${stop}      words="${words}" ;;\n`
  })
  return `# bash completion for carryon
_carryon() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(' ')} --help --version" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
    help) COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(' ')}" -- "$word")); return ;;
    completion) COMPREPLY=($(compgen -W "${SHELLS.join(' ')}" -- "$word")); return ;;
${cases.filter((text) => !text.startsWith('    completion)')).join('')}  esac
  if [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "$words" -- "$word")); fi
}
complete -o default -o bashdefault -F _carryon carryon
`
}

function zsh(commands: readonly Completed[]): string {
  const names = commands.map(({ name, summary }) => `    ${single(`${name}:${summary}`)}`)
  const cases = commands.map(({ name, flags }) => {
    const specs = flags.flatMap(zshSpecs).map((spec) => `        ${single(spec)} \\\n`)
    const rest = name === 'completion' ? `'1:shell:(${SHELLS.join(' ')})'` : `'*:file:_files'`
    return `      ${name})\n        _arguments -S \\\n${specs.join('')}        ${rest} ;;\n`
  })
  return `#compdef carryon
_carryon() {
  local -a commands
  commands=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT -= 1 ))
  case "$command" in
${cases.join('')}  esac
}
if [ "$funcstack[1]" = "_carryon" ]; then _carryon "$@"; else compdef _carryon carryon; fi
`
}

function zshSpecs({ names, takesValue, takesPath, description }: Flag): readonly string[] {
  const text = description.replaceAll(/[[\]:\\]/g, (character) => `\\${character}`)
  const value = takesPath ? ':file:_files' : takesValue ? ':value: ' : ''
  return names.map((name) => `*${name}[${text}]${value}`)
}

function fish(commands: readonly Completed[]): string {
  const first = commands.map(
    ({ name, summary }) => `complete -c carryon -n __fish_use_subcommand -f -a ${name} -d ${single(summary)}`,
  )
  const rest = commands.flatMap(({ name, flags }) =>
    flags.map(({ names, takesValue, takesPath, description }) => {
      const words = names.map((flag) =>
        flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
      )
      const value = takesPath ? ' -r -F' : takesValue ? ' -x' : ''
      return `complete -c carryon -n '__fish_seen_subcommand_from ${name}' ${words.join(' ')}${value} -d ${single(description)}`
    }),
  )
  const shells = `complete -c carryon -n '__fish_seen_subcommand_from completion' -f -a '${SHELLS.join(' ')}'`
  return `# fish completion for carryon\n${[...first, shells, ...rest].join('\n')}\n`
}

/** In single quotes. Each shell has its own way to put a quote into them, so there is none. */
function single(text: string): string {
  return `'${text.replaceAll("'", '’')}'`
}
