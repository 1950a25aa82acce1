import type { Command } from 'commander';
import { addSettingFlags, print, settingsFrom, type Context, type SettingOptions } from '../context.js';

interface Options extends SettingOptions {
  readonly names?: string;
  readonly restart?: true;
  readonly stateMachine?: string;
}

export function addUp(program: Command, context: Context): void {
  const command = program
    .command('up')
    .description(
      'run a whole cluster on this machine: Redis if none is given, replicas, a gateway; Ctrl-C stops all of it',
    )
    .option('--names <names>', 'the replicas, with commas between them, instead of replica-1, replica-2, …')
    .option('--restart', 'start again what ended by itself; without it a replica that died stays dead, to be watched')
    .option('--state-machine <file>', 'module whose default export is your state machine');
  addSettingFlags(command, 'replicas', 'port', 'host', 'cluster', 'redisUrl', 'dataDir', 'logLevel', 'checkDeterminism')
    .addHelpText(
      'after',
      `
Examples:
  $ quorate up
  $ quorate up --replicas 7 --port 8080
  $ quorate up --names Apple,MS,Google,IBM --data-dir /tmp/war-council`,
    )
    .action(async (options: Options) => {
      const settings = settingsFrom(context, options);
      const [{ loadStateMachine }, { up }] = await Promise.all([
        import('../load-state-machine.js'),
        import('../../cluster/up.js'),
      ]);
      await loadStateMachine(options.stateMachine); // better refused here than by five processes
      const ending = await up({
        settings,
        names: options.names?.split(',').map((name) => name.trim()),
        stateMachine: options.stateMachine,
        restart: options.restart === true,
        report: (text) => {
          print(context, text);
        },
      });
      context.exitCode = ending === 'stopped' ? 0 : 1;
    });
}
