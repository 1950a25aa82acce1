import { hostname } from 'node:os';
import { Argument, type Command } from 'commander';
import type { Settings } from '../../config/settings.js';
import { addSettingFlags, CommandFailed, print, settingsFrom, type Context, type SettingOptions } from '../context.js';

type Role = 'replica' | 'gateway';

const GATEWAY_TIMEOUT_MS = 3_000;

export function addHealth(program: Command, context: Context): void {
  const command = program
    .command('health')
    .addArgument(new Argument('[role]', 'what runs here; else whatever does').choices(['replica', 'gateway']))
    .description("for a container's health check: does what runs here work? Exit 0 or 1, and why");
  addSettingFlags(command, 'dataDir', 'port', 'host')
    .addHelpText(
      'after',
      `
Examples:
  $ quorate health
  $ quorate health replica --data-dir /data
  $ quorate health gateway --port 8080`,
    )
    .action(async (role: Role | undefined, options: SettingOptions) => {
      const settings = settingsFrom(context, options);
      const answers = role === 'gateway' ? await askGateway(settings) : await askHolders(settings, role);
      print(context, answers);
    });
}

/** What those say at their folder's lock who run on this host: a data folder may be shared with other containers. */
async function askHolders({ dataDir }: Settings, role: Role | undefined): Promise<string> {
  const { healthOfHolders } = await import('../../enrolment/data-folder.js');
  const folders = role === undefined ? (['replicas', 'gateways'] as const) : (['replicas'] as const);
  const all = (await Promise.all(folders.map(async (folder) => await healthOfHolders(dataDir, folder)))).flat();
  const here = all.filter(({ host }) => host === hostname());
  const answers = here
    .map(({ name, ready, detail }) => `${name}: ${ready ? 'ready' : 'not ready'}, ${detail}`)
    .join('\n');
  if (here.length === 0) throw new CommandFailed(`nothing of Quorate runs on this host in ${dataDir}`);
  if (!here.every(({ ready }) => ready)) throw new CommandFailed(answers);
  return answers;
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
  throw new CommandFailed(`${url}: ${said}`);
}
