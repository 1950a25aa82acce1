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
