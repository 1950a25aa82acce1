import { hostname } from 'node:os';
import { Argument, type Command } from 'commander';
import type { Settings } from '../../config/settings.js';
import { healthOfHolders } from '../../enrolment/data-folder.js';
import { addSettingFlags, CommandFailed, print, settingsFrom, type Context, type SettingOptions } from '../context.js';

interface Options extends SettingOptions {
  readonly id?: string;
}

const GATEWAY_TIMEOUT_MS = 3_000;

export function addHealth(program: Command, context: Context): void {
  const command = program
    .command('health')
    .addArgument(new Argument('<role>', 'what runs here').choices(['replica', 'gateway']))
    .description("for a container's health check: does what runs here work? Exit 0 or 1, and why")
    .option('--id <name>', 'only this replica (REPLICA_ID)');
  addSettingFlags(command, 'dataDir', 'port', 'host').action(async (role: 'replica' | 'gateway', options: Options) => {
    const settings = settingsFrom(context, options, { REPLICA_ID: options.id });
    print(context, role === 'replica' ? await replicaHealth(settings) : await gatewayHealth(settings));
  });
}

/** What the replicas of this machine, or container, say at the locks of their folders; others may share the volume. */
async function replicaHealth({ dataDir, replicaId }: Settings): Promise<string> {
  const all = await healthOfHolders(dataDir, 'replicas');
  const holders = all.filter(({ name, host }) => host === hostname() && (replicaId ?? name) === name);
  const lines = holders.map(({ name, ready, detail }) => `${name}: ${ready ? 'ready' : 'not ready'}, ${detail}`);
  if (holders.length === 0) throw new CommandFailed(`no replica runs in ${dataDir}`);
  if (!holders.every(({ ready }) => ready)) throw new CommandFailed(lines.join('\n'));
  return lines.join('\n');
}

async function gatewayHealth({ port, host }: Settings): Promise<string> {
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
