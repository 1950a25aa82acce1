import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What follows a flag, or stands in an argument's place. */
type Value = { readonly kind: 'words'; readonly words: readonly string[] } | { readonly kind: 'path' | 'free' };

interface Flag {
  /** `--json`, and `-V` where there is a short form. */
  readonly names: readonly string[];
  readonly description: string;
  /** `undefined`: nothing follows it. */
  readonly value: Value | undefined;
}

interface CommandModel {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly Flag[];
  readonly argument: Value | undefined;
}

/** Placeholders that stand for something in the file system. */
const PATHS = new Set(['file', 'folder', 'receipt']);

/** A script that has a shell complete the command line, made from what the commands themselves declare. */
export function completionScript(program: Command, shell: Shell): string {
  const commands = program.commands.map(modelOf);
  const write = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell];
  return write(program.name(), commands);
}

function modelOf(command: Command): CommandModel {
  const shown = command.options.filter(({ hidden }) => !hidden);
  const [argument] = command.registeredArguments;
  return {
    name: command.name(),
    description: command.description(),
    flags: [
      ...shown.map(({ long, short, description, flags, argChoices, required, optional }) => ({
        names: [long, short].filter((name) => name !== undefined),
        description,
        value: required || optional ? valueOf(flags.replace(/^[^<[]*[<[](.*?)[>\]].*$/, '$1'), argChoices) : undefined,
      })),
      { names: ['--help', '-h'], description: 'what the command does', value: undefined },
    ],
    argument: argument === undefined ? undefined : valueOf(argument.name(), argument.argChoices),
  };
}

function valueOf(placeholder: string, choices: readonly string[] | undefined): Value {
  if (choices !== undefined) return { kind: 'words', words: choices };
  return { kind: PATHS.has(placeholder) ? 'path' : 'free' };
}

/** In single quotes, for any of the shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function bashScript(program: string, commands: readonly CommandModel[]): string {
  const afterFlag = commands.flatMap(({ name, flags }) =>
    flags.flatMap(({ names, value }) => {
      if (value === undefined) return [];
      const patterns = names.map((flag) => quoted(`${name} ${flag}`)).join('|');
      return [`    ${patterns}) ${bashValue(value)} return ;;`];
    }),
  );
  const words = commands.map(({ name, flags, argument }) => {
    const values = argument?.kind === 'words' ? argument.words : [];
    const all = [...values, ...flags.flatMap(({ names }) => names.filter((flag) => flag.startsWith('--')))];
    return `    ${name}) words=${quoted(all.join(' '))}${argument?.kind === 'path' ? '' : '; compopt +o default 2>/dev/null'} ;;`;
  });
  const names = commands.map(({ name }) => name);
  return `# bash completion for ${program}:  source <(${program} completion bash)
_${program}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command='' words='' index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    if [[ \${COMP_WORDS[index]} != -* ]]; then command=\${COMP_WORDS[index]}; break; fi
  done
  case "$command $previous" in
${afterFlag.join('\n')}
  esac
  case $command in
    '') words=${quoted([...names, '--help', '--version'].join(' '))}; compopt +o default 2>/dev/null ;;
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${program} ${program}`;
}

function bashValue(value: Value): string {
  if (value.kind === 'words') return `COMPREPLY=($(compgen -W ${quoted(value.words.join(' '))} -- "$current"));`;
  return value.kind === 'path' ? '' : 'compopt +o default 2>/dev/null;';
}

function zshScript(program: string, commands: readonly CommandModel[]): string {
  const described = commands.map(({ name, description }) => `    ${quoted(`${name}:${zshText(description)}`)}`);
  const cases = commands.map(({ name, flags, argument }) => {
    const specs = flags.map(({ names, description, value }) => {
      const choice = names.length === 1 ? (names[0] ?? '') : `(${names.join(' ')})'{${names.join(',')}}'`;
      return `        ${quotedSpec(`${choice}[${zshText(description)}]${value === undefined ? '' : `:value:${zshValue(value)}`}`)}`;
    });
    const rest = argument === undefined ? [] : [`        ${quoted(`1:argument:${zshValue(argument)}`)}`];
    return `    ${name}) _arguments \\\n${[...specs, ...rest].join(' \\\n')} ;;`;
  });
  return `#compdef ${program}
# zsh completion for ${program}:  source <(${program} completion zsh), after compinit
_${program}() {
  local -a commands=(
${described.join('\n')}
  )
  if ((CURRENT == 2)); then _describe command commands; return; fi
  local command=$words[2]
  shift words; ((CURRENT--))
  case $command in
${cases.join('\n')}
  esac
}
compdef _${program} ${program}`;
}

/** A specification of _arguments, in which the braces around alternative names stand outside the quotes. */
function quotedSpec(spec: string): string {
  const [head = '', names, tail] = spec.split(/'(\{[^}]*\})'/);
  return names === undefined ? quoted(head) : `${quoted(head)}${names}${quoted(tail ?? '')}`;
}

function zshText(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, '\\$&');
}

function zshValue(value: Value): string {
  if (value.kind === 'words') return `(${value.words.join(' ')})`;
  return value.kind === 'path' ? '_files' : ' ';
}

function fishScript(program: string, commands: readonly CommandModel[]): string {
  const lines = commands.flatMap(({ name, description, flags, argument }) => {
    const seen = `__fish_seen_subcommand_from ${name}`;
    return [
      `complete -c ${program} -n __fish_use_subcommand -f -a ${name} -d ${fishQuoted(description)}`,
      ...flags.map(({ names, description: about, value }) => {
        const forms = names.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
        return `complete -c ${program} -n ${fishQuoted(seen)} ${forms.join(' ')}${fishValue(value)} -d ${fishQuoted(about)}`;
      }),
      ...(argument?.kind === 'path' ? [`complete -c ${program} -n ${fishQuoted(seen)} -F`] : []),
      ...(argument?.kind === 'words'
        ? [`complete -c ${program} -n ${fishQuoted(seen)} -f -a ${fishQuoted(argument.words.join(' '))}`]
        : []),
    ];
  });
  return `# fish completion for ${program}:  ${program} completion fish | source
complete -c ${program} -f
${lines.join('\n')}`;
}

/** Fish's single quotes know two escapes of their own. */
function fishQuoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}

function fishValue(value: Value | undefined): string {
  if (value === undefined) return '';
  if (value.kind === 'words') return ` -x -a ${fishQuoted(value.words.join(' '))}`;
  return value.kind === 'path' ? ' -r -F' : ' -x';
}
