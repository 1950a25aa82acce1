import { hostname } from 'node:os';
import { Argument, type Command } from 'commander';
import type { Settings } from '../../config/settings.js';
import { addSettingFlags, CommandFailed, print, settingsFrom, type Context, type SettingOptions } from '../context.js';

type Role = 'replica' | 'gateway';

interface Options extends SettingOptions {
  readonly json?: true;
}

const GATEWAY_TIMEOUT_MS = 3_000;

export function addHealth(program: Command, context: Context): void {
  const command = program
    .command('health')
    .addArgument(new Argument('[role]', 'what runs here; else whatever does').choices(['replica', 'gateway']))
    .description("for a container's health check: does what runs here work? Exit 0 or 1, and why")
    .option('--json', 'print what each process says, or what the gateway answers, as JSON');
  addSettingFlags(command, 'dataDir', 'port', 'host')
    .addHelpText(
      'after',
      `
Examples:
  $ quorate health
  $ quorate health replica --data-dir /data
  $ quorate health gateway --port 8080`,
    )
    .action(async (role: Role | undefined, options: Options) => {
      const settings = settingsFrom(context, options);
      if (role === 'gateway') print(context, await askGateway(settings));
      else await askHolders(context, settings, role, options.json === true);
    });
}

/** What those say at their folder's lock who run on this host: a data folder may be shared with other containers. */
async function askHolders(
  context: Context,
  { dataDir }: Settings,
  role: Role | undefined,
  asJson: boolean,
): Promise<void> {
  const { healthOfHolders } = await import('../../enrolment/data-folder.js');
  const folders = role === undefined ? (['replicas', 'gateways'] as const) : (['replicas'] as const);
  const all = (await Promise.all(folders.map(async (folder) => await healthOfHolders(dataDir, folder)))).flat();
  const here = all.filter(({ host }) => host === hostname());
  if (here.length === 0) throw new CommandFailed('not-running', `nothing of Quorate runs on this host in ${dataDir}`);
  const isReady = here.every(({ ready }) => ready);
  const answers = here.map(({ name, ready, detail }) => `${name}: ${ready ? 'ready' : 'not ready'}, ${detail}`);
  if (asJson) print(context, JSON.stringify(here));
  else if (isReady) print(context, answers.join('\n'));
  if (!isReady) throw new CommandFailed('not-ready', answers.join('; '));
}

async function askGateway({ port, host }: Settings): Promise<string> {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const url = `http://${reachable}:${String(port)}/health/ready`;
  let said: string;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(GATEWAY_TIMEOUT_MS) });
    said = await response.text();
    if (response.ok) return said;
  } catch (error) {
    said = (error as Error).message;
  }
  throw new CommandFailed('not-ready', `${url}: ${said}`);
}
