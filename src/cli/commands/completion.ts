import { Argument, type Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion.js';
import { print, type Context } from '../context.js';

export function addCompletion(program: Command, context: Context): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'whose language it is written in').choices(SHELLS))
    .description('print a script that has your shell complete commands, flags and their values')
    .addHelpText(
      'after',
      `
Examples:
  $ source <(quorate completion bash)          # in ~/.bashrc
  $ source <(quorate completion zsh)           # in ~/.zshrc, after compinit
  $ quorate completion fish | source           # in ~/.config/fish/config.fish`,
    )
    .action((shell: Shell) => {
      print(context, completionScript(program, shell));
    });
}
