import { ScriptedCluster, type ScriptOptions, type Sent } from '../../../src/simulator/scripted-cluster.js';
import { decodeFrame, encodeFrame, splitPacket, type Frame } from '../../../src/wire/frame.js';
import { decodePhaseBody, type PhaseHeader } from '../../../src/wire/phase.js';

/** How scenarios of whole clusters begin and end, and what several of them do. */

export const increment = { op: 'increment', key: 'key', by: 1 };

/** Ends a scenario: everybody is heard, everything is executed everywhere, and no checker has seen anything. */
export async function end(cluster: ScriptedCluster): Promise<void> {
  await cluster.submit(increment);
  await cluster.until('all have executed the same', () => {
    const reached = cluster.cluster.correct.map(({ life }) => life?.node.host.replica.lastExecuted);
    return isFaulty(cluster) || new Set(reached).size === 1;
  });
  await cluster.runFor(1_500); // statuses tell the state's digest
  const { violation } = cluster;
  if (violation !== undefined) throw new Error(`${violation.checker}: ${violation.what}`);
}

export const isFaulty = (cluster: ScriptedCluster): boolean => cluster.violation !== undefined;

export async function start(options: ScriptOptions = {}): Promise<ScriptedCluster> {
  return await ScriptedCluster.start({ checkpointInterval: 4, logSize: 8, ...options });
}

/** What a vote says; `undefined` for other frames. */
export function voteIn({ kind, signer, body }: Frame): PhaseHeader | undefined {
  return kind === 'pre-prepare' || kind === 'prepare' || kind === 'commit'
    ? decodePhaseBody(kind, signer, body)
    : undefined;
}

export const isVote = ({ frame }: Sent, of: number, ...kinds: readonly string[]): boolean =>
  kinds.includes(frame.kind) && voteIn(frame)?.view === of;

/** Everything that is published, by anybody. */
export function overhear(cluster: ScriptedCluster): Frame[] {
  const heard: Frame[] = [];
  const { network, parts } = cluster.cluster;
  const { onPublished } = network;
  network.onPublished = (from, channel, payload) => {
    onPublished(from, channel, payload);
    for (const bytes of splitPacket(payload) as Buffer[]) {
      const frame = decodeFrame(bytes, parts.founders.membership.digest);
      if (typeof frame !== 'string') heard.push(frame);
    }
  };
  return heard;
}

/** The same frame with something in it exchanged, its signature excepted. */
export function altered(cluster: ScriptedCluster, frame: Frame, change: Partial<Frame>): Buffer {
  return encodeFrame({ ...frame, ...change, genesisDigest: cluster.cluster.parts.founders.membership.digest });
}

/**
 * In view 0 replica 1 alone hears PREPAREs, and nobody a COMMIT, but for what 3, Byzantine, says or makes up. The others go on in
 * another view without 1.
 * @param forge has replica 3 tell 1 what the others never said
 */
export async function inventCommits(
  forge: (cluster: ScriptedCluster, heard: readonly Frame[]) => void,
  options: ScriptOptions = {},
): Promise<void> {
  const cluster = await start({ byzantine: [3], ...options });
  const heard = overhear(cluster);
  const heal = cluster.lose((sent) => {
    return isVote(sent, 0, 'commit')
      ? sent.from !== 'replica-4'
      : isVote(sent, 0, 'prepare') && sent.to !== 'replica-2';
  });
  const first = cluster.send(increment);
  await cluster.until('prepared at 1', () => cluster.core(1).lastPrepared === 1);
  await cluster.runFor(1); // what it says of it is out
  forge(cluster, heard);
  await cluster.runFor(10);
  const join = cluster.isolate(1);
  const second = cluster.send({ op: 'put', key: 'other', value: 1 }, 1);
  await cluster.until('the others go on', () => isFaulty(cluster) || cluster.core(2).lastExecuted >= 1);
  heal();
  join();
  for (const request of [first, second]) await cluster.outcome(request);
  await end(cluster);
}
