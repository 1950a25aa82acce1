import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../../dist/cluster/child.js';
import { poll } from '../../dist/cluster/poll.js';
import { freePort } from '../../dist/cluster/ports.js';
import { runCommand, succeeded } from '../../dist/cluster/run-command.js';
import { processorUs } from '../measure/processor-time.mjs';
import { Program } from './program.mjs';
import { temporaryFolder } from './redis.mjs';

const CLIENT = new URL('../programs/etcd-client.mjs', import.meta.url);
/** Ends etcd when we are gone, however that was. */
const WARDEN = fileURLToPath(new URL('../../bin/warden.mjs', import.meta.url));
const HOST = '127.0.0.1';
const NODES = 3;
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;

/** @returns {Promise<string | undefined>} the version of the etcd on PATH */
export async function etcdVersion() {
  const result = await runCommand('etcd', ['--version'], { timeoutMs: 10_000 });
  return succeeded(result) ? /etcd Version: (\S+)/.exec(result.stdout)?.[1] : undefined;
}

/** Three nodes of etcd on loopback with their data below `parent`, and a client of their leader. A load. */
export async function startEtcd(cleanUp, { parent }) {
  const folder = await temporaryFolder(cleanUp, parent);
  const nodes = [];
  for (let index = 0; index < NODES; index++) {
    nodes.push({ name: `etcd-${index + 1}`, client: await freePort(), peer: await freePort() });
  }
  const peers = nodes.map(({ name, peer }) => `${name}=http://${HOST}:${peer}`).join(',');
  for (const node of nodes) {
    node.child = startNode(node, { folder, peers });
    cleanUp.add(
      () => node.child.stop(STOP_TIMEOUT_MS),
      () => node.child.killGroup(),
    );
  }
  const leader = await poll(READY_TIMEOUT_MS, () => leaderOf(nodes));
  if (leader === undefined) throw new Error(`etcd has no leader; its logs are in ${folder}`);
  const client = new Program({ name: 'etcd-client', file: CLIENT, options: { host: HOST, port: leader.client } });
  cleanUp.add(
    () => client.stop(),
    () => client.kill(),
  );
  await client.ready;
  return {
    ask: (...question) => client.ask(...question),
    async processorTime() {
      const others = nodes.filter((node) => node !== leader);
      const used = await Promise.all(others.map(nodeProcessorUs));
      return {
        client: await processorUs(client.pid),
        primary: await nodeProcessorUs(leader),
        backup: used.includes(undefined) ? undefined : used.reduce((sum, us) => sum + us, 0) / used.length,
      };
    },
  };
}

function startNode({ name, client, peer }, { folder, peers }) {
  const [clientUrl, peerUrl] = [client, peer].map((port) => `http://${HOST}:${port}`);
  const options = {
    ...{ name, 'data-dir': join(folder, name), 'log-level': 'error' },
    ...{ 'listen-client-urls': clientUrl, 'advertise-client-urls': clientUrl },
    ...{ 'listen-peer-urls': peerUrl, 'initial-advertise-peer-urls': peerUrl },
    ...{ 'initial-cluster': peers, 'initial-cluster-state': 'new' },
  };
  const args = Object.entries(options).map(([flag, value]) => `--${flag}=${value}`);
  const logFile = join(folder, `${name}.log`);
  const words = [WARDEN, 'etcd', 'etcd', ...args];
  return new Child({ name, command: process.execPath, args: words, environment: process.env, logFile });
}

/** The node that leads, once there is one. */
async function leaderOf(nodes) {
  for (const node of nodes) {
    const status = await statusOf(node);
    if (status?.leader !== undefined && status.leader === status.header.member_id) return node;
  }
  return undefined;
}

async function statusOf({ client }) {
  try {
    const url = `http://${HOST}:${client}/v3/maintenance/status`;
    const response = await fetch(url, { method: 'POST', body: '{}', signal: AbortSignal.timeout(1_000) });
    return await response.json();
  } catch {
    return undefined;
  }
}

/** What we have started is the warden; etcd is its child. */
async function nodeProcessorUs({ child }) {
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').catch(() => '');
  const [pid] = children.trim().split(' ');
  return pid ? processorUs(pid) : undefined;
}
