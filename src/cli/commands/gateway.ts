import { Option, type Command } from 'commander';
import { addSettingFlags, requireRedis, settingsFrom, type Context, type SettingOptions } from '../context.js';
import type { Service } from '../serve.js';

interface Options extends SettingOptions {
  readonly id?: string;
  readonly stateMachine?: string;
  readonly attached?: true;
}

export function addGateway(program: Command, context: Context): void {
  const command = program
    .command('gateway')
    .description('run one gateway, which speaks HTTP to clients, until SIGTERM or Ctrl-C')
    .option('--id <name>', 'its name (GATEWAY_ID)')
    .option('--state-machine <file>', 'module whose default export is your state machine')
    .addOption(new Option('--attached', 'end when standard input closes').hideHelp());
  addSettingFlags(command, 'port', 'host', 'cluster', 'redisUrl', 'dataDir', 'logLevel')
    .addHelpText(
      'after',
      `
Example:
  $ REDIS_URL=redis://127.0.0.1:6379 JOIN_TOKEN_FILE=join-token quorate gateway --port 8080 --host 0.0.0.0`,
    )
    .action(async (options: Options) => {
      const settings = requireRedis(settingsFrom(context, options, { GATEWAY_ID: options.id }));
      const [{ loadStateMachine }, { runGateway }, { serve }] = await Promise.all([
        import('../load-state-machine.js'),
        import('../run-gateway.js'),
        import('../serve.js'),
      ]);
      const machine = await loadStateMachine(options.stateMachine);
      const start = async (): Promise<Service> => {
        const running = await runGateway(settings, machine);
        process.title = `quorate gateway ${running.name}`; // its name may have been allotted only now
        return running;
      };
      await serve(start, {
        isAttached: options.attached === true,
        report: (line) => context.stderr.write(`gateway ${settings.gatewayId ?? ''}: ${line}\n`),
      });
    });
}
