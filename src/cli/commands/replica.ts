import { Option, type Command } from 'commander';
import { addSettingFlags, requireRedis, settingsFrom, type Context, type SettingOptions } from '../context.js';
import { tellParent } from '../../cluster/attached.js';
import type { Service } from '../serve.js';

interface Options extends SettingOptions {
  readonly id?: string;
  readonly stateMachine?: string;
  readonly attached?: true;
}

export function addReplica(program: Command, context: Context): void {
  const command = program
    .command('replica')
    .description('run one replica, until SIGTERM or Ctrl-C')
    .option('--id <name>', 'its name (REPLICA_ID); without one, enrolment allots it')
    .option('--state-machine <file>', 'module whose default export is your state machine')
    .addOption(new Option('--attached', 'end when standard input closes').hideHelp());
  addSettingFlags(command, 'cluster', 'replicas', 'redisUrl', 'dataDir', 'logLevel', 'checkDeterminism')
    .addHelpText(
      'after',
      `
Example:
  $ REDIS_URL=redis://127.0.0.1:6379 JOIN_TOKEN_FILE=join-token quorate replica --id Apple`,
    )
    .action(async (options: Options) => {
      const settings = requireRedis(settingsFrom(context, options, { REPLICA_ID: options.id }));
      const [{ loadStateMachine }, { runReplica }, { serve }] = await Promise.all([
        import('../load-state-machine.js'),
        import('../run-replica.js'),
        import('../serve.js'),
      ]);
      const machine = await loadStateMachine(options.stateMachine);
      const start = async (): Promise<Service> => {
        const running = await runReplica(settings, machine, {
          cleanUp: [],
          onFailure: () => process.exit(1),
          onNondeterminism: ({ message }) => {
            tellParent(message);
          },
        });
        process.title = `quorate replica ${running.name}`; // its name may have been allotted only now
        return running;
      };
      await serve(start, {
        isAttached: options.attached === true,
        report: (line) => context.stderr.write(`replica ${settings.replicaId ?? ''}: ${line}\n`),
      });
    });
}
