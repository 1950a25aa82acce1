import type { Command } from 'commander';
import { digestOfKey, newApiKey } from '../../access/api-key.js';
import { clientNamePattern } from '../../access/access-rules.js';
import { paint, print, UsageError, type Context } from '../context.js';

interface Options {
  readonly name: string;
  readonly operations?: string;
  readonly keyPrefix?: string;
  readonly json?: true;
}

export function addKey(program: Command, context: Context): void {
  const key = program.command('key').description("API keys for a gateway's clients");
  key
    .command('create')
    .description('make an API key: prints it, once, and the entry for ACCESS_FILE that lets it in')
    .requiredOption('--name <client>', 'whose it is: 1 to 64 printable characters without white space')
    .option('--operations <names>', 'what the client may do, with commas between; without it everything')
    .option('--key-prefix <prefix>', 'only on keys of the key-value service that begin so')
    .option('--json', 'print { "key": …, "client": … }')
    .addHelpText(
      'after',
      `
Examples:
  $ quorate key create --name billing
  $ quorate key create --name billing --operations get,put --key-prefix billing/`,
    )
    .action((options: Options) => {
      const { name, operations = '*', keyPrefix } = options;
      if (!clientNamePattern.test(name) || name === '*' || name === 'operator') {
        throw new UsageError('--name is 1 to 64 printable ASCII characters without white space, and not * or operator');
      }
      const names = operations.split(',').map((operation) => operation.trim());
      if (names.includes('')) throw new UsageError('--operations is names with commas between them');
      const apiKey = newApiKey();
      const client = {
        name,
        keys: [{ sha256: digestOfKey(apiKey).toString('hex') }],
        rights: [{ operations: names, ...(keyPrefix === undefined ? {} : { keyPrefix }) }],
      };
      if (options.json === true) {
        print(context, JSON.stringify({ key: apiKey, client }));
        return;
      }
      print(context, apiKey);
      const hint = 'Keep the key: it is not shown again. The entry for "clients" in ACCESS_FILE, {"clients": […]}:';
      print(context, `${paint(context, 'dim', hint)}\n${JSON.stringify(client, null, 2)}`);
    });
}
