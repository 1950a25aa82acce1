import { limits } from '../../../src/pbft/configuration.js';
import { sequence, view } from '../../../src/pbft/types.js';
import type { ScriptedCluster } from '../../../src/simulator/scripted-cluster.js';
import { decodeBundleBody, encodeBundleBody } from '../../../src/wire/bundle.js';
import { Sealer } from '../../../src/wire/envelope.js';
import { decodeFrame, gatewaySigner, splitPacket, type Frame } from '../../../src/wire/frame.js';
import { canonicalJsonBytes } from '../../../src/wire/json.js';
import { digestOfBatchBytes, encodeBatch, encodePhaseBody } from '../../../src/wire/phase.js';
import { decodeQueryReply, encodeQueryReply } from '../../../src/wire/service.js';
import { encodeCheckpoint } from '../../../src/wire/views.js';
import { end, start } from './cluster-kit.js';
import { must } from './kit.js';

/** What a primary may not propose, and what a client may not believe. */

const gateway = 'gateway-false';

interface BundleOptions {
  readonly timestamp: number;
  readonly lastSequence?: number;
  /** Whose word it pretends to be; it is always signed with the key of one and the same gateway. */
  readonly inTheNameOf?: string;
  /** Nothing is wrong with it by itself. */
  readonly isMade?: boolean;
}

function bundle(cluster: ScriptedCluster, options: BundleOptions): Buffer {
  const { timestamp, lastSequence = limits.bundleLifetime, inTheNameOf = gateway, isMade = false } = options;
  const { founders, signatures } = cluster.cluster.parts;
  const { membership } = founders;
  const context = { genesisDigest: membership.digest, epoch: membership.epoch, n: membership.n };
  const operation = Buffer.from(canonicalJsonBytes({ op: 'put', key: 'false', value: timestamp }));
  const requests = [{ client: inTheNameOf, timestamp, operation }];
  const body = encodeBundleBody(signatures.credentialOf(inTheNameOf), sequence(lastSequence), requests);
  for (const { digest } of isMade ? decodeBundleBody(body, 0).bundle.requests : [])
    cluster.cluster.witness.onMade(digest);
  return new Sealer(context, signatures.signerOf(gateway), gatewaySigner).seal('request', body);
}

/** Replica 0, Byzantine, proposes these bundles to all; then it is as it should be. */
async function propose(bundlesOf: (cluster: ScriptedCluster) => readonly Buffer[], offMs = 0): Promise<void> {
  const cluster = await start({ byzantine: [0] });
  cluster.intercept(0, () => undefined);
  const attachment = encodeBatch(view(0), cluster.seat(0).clock + offMs, bundlesOf(cluster));
  const body = encodePhaseBody({ view: view(0), sequence: sequence(1), digest: digestOfBatchBytes(attachment) });
  cluster.say(0, 'pre-prepare', body, { to: [1, 2, 3], attachment });
  await cluster.runFor(20);
  cluster.seat(0).conduct = undefined;
  await end(cluster);
}

/** Replica 0, Byzantine, names to all a bundle that it has told nobody, and hands the batch out when it is asked. */
async function proposeUnheard(offMs: number): Promise<void> {
  const cluster = await start({ byzantine: [0] });
  cluster.intercept(0, () => undefined);
  const frame = bundle(cluster, { timestamp: 1, isMade: true });
  const { membership } = cluster.cluster.parts.founders;
  const { signature } = decodeFrame(frame, membership.digest) as Frame;
  const time = cluster.seat(0).clock + offMs;
  const whole = encodeBatch(view(0), time, [frame]);
  const header = { view: view(0), sequence: sequence(1), digest: digestOfBatchBytes(whole) };
  cluster.say(0, 'pre-prepare', encodePhaseBody(header), {
    to: [1, 2, 3],
    attachment: encodeBatch(view(0), time, [signature]),
  });
  await cluster.runFor(5);
  cluster.say(0, 'batch', encodeCheckpoint(header), { to: [1, 2, 3], attachment: whole, channel: 'state' });
  await cluster.runFor(20);
  cluster.seat(0).conduct = undefined;
  await end(cluster);
}

/** The bus loses what the gateways send to 1 and 2, always. */
async function askOnlySome(): Promise<void> {
  const cluster = await start();
  cluster.lose(({ to, frame }) => (to === 'replica-2' || to === 'replica-3') && frame.kind === 'request');
  await cluster.submit({ op: 'put', key: 'key', value: 1 });
  must(
    'no view is given up for it',
    [0, 1, 2, 3].every((index) => cluster.core(index).view === 0),
  );
  await end(cluster);
}

/** Whoever runs Redis knows what correct gateways look like, and has a key of its own. */
async function forge(): Promise<void> {
  const cluster = await start();
  const frame = bundle(cluster, { timestamp: 9, inTheNameOf: 'gateway-1' });
  cluster.pass(gateway, frame, 'request', [0, 1, 2, 3]);
  await cluster.runFor(20);
  await end(cluster);
}

/**
 * Replica 0 alone executes what 3, Byzantine, has executed, too: that is enough for the client. Then 1 and 2, who are behind, and 3, who
 * lies, answer a read alike.
 */
async function readFromMostBehind(): Promise<void> {
  const cluster = await start({ byzantine: [3] });
  await cluster.submit({ op: 'put', key: 'key', value: 'old' });
  await cluster.runFor(100);
  const late = cluster.lose(({ to, frame }) => {
    return (to === 'replica-2' || to === 'replica-3') && ['commit', 'decided', 'status'].includes(frame.kind);
  });
  await cluster.submit({ op: 'put', key: 'key', value: 'new' });
  const silent = cluster.lose(({ from, frame }) => from === 'replica-1' && frame.kind === 'query-reply');
  lieInReads(cluster, 'old');
  const { client } = cluster.cluster.gateways[0]!;
  const reading = client.query({ op: 'get', key: 'key' }, 'linearizable', 60_000);
  await cluster.runFor(100);
  late();
  silent();
  const { value } = await cluster.outcome(reading);
  must(`what was acknowledged is read, not ${JSON.stringify(value)}`, value === 'new');
  await end(cluster);
}

/** Whatever replica 3 is asked, it says this, and that it has seen nothing else. */
function lieInReads(cluster: ScriptedCluster, value: string): void {
  const { network, parts } = cluster.cluster;
  cluster.intercept(3, (publications) => {
    for (const { channel, payload } of publications) {
      for (const bytes of splitPacket(Buffer.from(payload)) as Buffer[]) {
        const frame = decodeFrame(bytes, parts.founders.membership.digest);
        if (typeof frame === 'string' || frame.kind !== 'query-reply') {
          network.publish('replica-4', [{ channel, payload }]);
          continue;
        }
        const lie = { ...decodeQueryReply(frame.body), value: Buffer.from(JSON.stringify(value)) };
        const behind = { ...lie, lastExecuted: sequence(1), lastPrepared: sequence(1) };
        cluster.pass('replica-4', cluster.frame(3, 'query-reply', encodeQueryReply(behind)), channel);
      }
    }
  });
}

export const proposals = {
  'a bundle that its gateway never signed': forge,
  'a proposal with a bundle that has expired': () =>
    propose((cluster) => [bundle(cluster, { timestamp: 1, lastSequence: 0 })]),
  'a proposal at a time that no clock shows': () =>
    propose((cluster) => [bundle(cluster, { timestamp: 1, isMade: true })], 3_600_000),
  "a proposal with a client's later request first": () =>
    propose((cluster) => [2, 1].map((timestamp) => bundle(cluster, { timestamp, isMade: true }))),
  'a bundle that nobody else has, proposed at a time that no clock shows': () => proposeUnheard(3_600_000),
  'a request that two backups never hear': askOnlySome,
  'a read that most answer who are behind': readFromMostBehind,
};
