import { replicaIndex } from '../../../src/pbft/types.js';
import { tagBytes } from '../../../src/ports/signatures.js';
import type { ScriptedCluster } from '../../../src/simulator/scripted-cluster.js';
import { Authenticator } from '../../../src/wire/authenticator.js';
import { decodeFrame, splitPacket, type Frame } from '../../../src/wire/frame.js';
import { must } from './kit.js';
import { altered, end, increment, inventCommits, isVote, start } from './cluster-kit.js';

/** COMMITs that count by their MACs, and what Byzantine replicas and whoever runs Redis make of them. */

/** Replica 3, Byzantine, makes up a COMMIT of 2, MACs and all. */
async function makeUp(): Promise<void> {
  await inventCommits((cluster, heard) => {
    const prepare = heard.find(({ kind, signer }) => kind === 'prepare' && signer === 2)!;
    const attachment = Buffer.alloc(4 * tagBytes, 1);
    cluster.say(3, 'commit', prepare.body, { to: [1] });
    cluster.pass('replica-4', altered(cluster, prepare, { kind: 'commit', attachment }), 'commit', [1]);
  });
}

/** Replica 3, Byzantine, tells 1 that 2 has made the MAC which 1 has made for 2. */
async function reflect(): Promise<void> {
  const options = { realSignatures: true };
  await inventCommits((cluster, heard) => {
    const commit = heard.find(({ kind, signer }) => kind === 'commit' && signer === 1)!;
    const attachment = Buffer.from(commit.attachment);
    commit.attachment.copy(attachment, tagBytes, 2 * tagBytes, 3 * tagBytes);
    cluster.say(3, 'commit', commit.body, { to: [1] });
    cluster.pass('replica-4', altered(cluster, commit, { signer: 2, attachment }), 'commit', [1]);
  }, options);
}

/** While 3 is cut off, whoever runs Redis exchanges the signatures of all COMMITs. */
async function exchangeSignatures(): Promise<void> {
  const cluster = await start();
  const join = cluster.isolate(3);
  const exchanged = Buffer.alloc(64, 7);
  const heal = cluster.lose((sent) => isVote(sent, 0, 'commit') && !sent.frame.signature.equals(exchanged));
  const { network } = cluster.cluster;
  const { onPublished } = network;
  network.onPublished = (from, channel, payload) => {
    onPublished(from, channel, payload);
    if (channel !== 'commit') return;
    for (const frame of framesIn(cluster, payload)) {
      const others = [0, 1, 2].filter((index) => index !== frame.signer);
      cluster.pass(from, altered(cluster, frame, { signature: exchanged }), 'commit', others);
    }
  };
  const request = cluster.send(increment);
  await cluster.runFor(100);
  must(
    'no COMMIT counts that its sender has not signed',
    [0, 1, 2].every((index) => cluster.core(index).lastExecuted === 0),
  );
  network.onPublished = onPublished;
  heal();
  await cluster.outcome(request);
  join();
  await end(cluster);
}

/**
 * Replica 2, Byzantine, vouches for a false signature. Replica 1 counts its COMMIT first, then those of the others; 3 loses its log,
 * and only 1 hands the batch out.
 */
async function proveByOthers(): Promise<void> {
  const cluster = await start({ byzantine: [2] });
  const unvouched = vouchFalsely(cluster);
  const deaf = cluster.lose((sent) => isVote(sent, 0, 'prepare') && sent.to === 'replica-2');
  const late = cluster.lose(
    (sent) => isVote(sent, 0, 'commit') && sent.to === 'replica-2' && sent.from !== 'replica-3',
  );
  const request = cluster.send(increment);
  await cluster.until('0 has executed it', () => cluster.core(0).lastExecuted === 1);
  late();
  for (const frame of said(cluster, 'commit', 0, 3)) cluster.pass('redis', frame.bytes, 'commit', [1]);
  await cluster.runFor(5);
  deaf();
  for (const frame of said(cluster, 'prepare', 3)) cluster.pass('redis', frame.bytes, 'prepare', [1]);
  await cluster.until('1 has executed it', () => cluster.core(1).lastExecuted === 1);
  await cluster.outcome(request);
  unvouched();
  const others = cluster.lose(({ frame, from }) => frame.kind === 'decided' && from !== 'replica-2');
  cluster.kill(3);
  cluster.loseLog(3);
  await cluster.revive(3);
  await end(cluster);
  others();
}

/**
 * Replica 2, Byzantine, vouches for false signatures, and is found out. Of the next COMMITs nobody hears those of 3, which loses its
 * log.
 */
async function believeNoLonger(): Promise<void> {
  const cluster = await start({ byzantine: [2] });
  vouchFalsely(cluster);
  const hasFound = (index: number): boolean => {
    const refused = cluster.seat(index).life?.node.host.refusals.entries() ?? [];
    return [...refused].some(([reason]) => reason === 'bad-signature');
  };
  for (let count = 0; count < 40 && ![0, 1].every(hasFound); count++) {
    await cluster.submit(increment);
    await cluster.runFor(500); // each looks at one of its votes
  }
  while (cluster.core(0).lastExecuted % 4 !== 0) await cluster.submit(increment); // a checkpoint is stable
  const next = cluster.core(0).lastExecuted + 1;
  const late = cluster.lose((sent) => isVote(sent, 0, 'commit') && sent.from === 'replica-4');
  const request = cluster.send(increment);
  await cluster.until('all have', () => [0, 1, 3].every((index) => cluster.core(index).lastExecuted === next));
  await cluster.outcome(request);
  const others = cluster.lose(({ frame, from }) => frame.kind === 'decided' && from === 'replica-3');
  cluster.kill(3);
  cluster.loseLog(3);
  await cluster.revive(3);
  await cluster.until('3 has it again', () => cluster.core(3).lastExecuted === next, 2_000);
  must('nobody had to order it again', isInFirstView(cluster));
  late();
  await end(cluster);
  others();
}

/**
 * Replica 2, Byzantine, vouches for a false signature. 0 and 1 never hear the COMMIT of 3, which hears all of them, and has the proof;
 * then a gateway asks for it.
 */
async function proveByOne(): Promise<void> {
  const cluster = await start({ byzantine: [2] });
  vouchFalsely(cluster, { isEmptyHanded: true });
  const apart = cluster.lose(({ from, to, frame }) => {
    return frame.kind === 'commit' && (from === 'replica-4' || (from === 'replica-3' && to === 'replica-4'));
  });
  await cluster.submit(increment);
  apart();
  const { client } = cluster.cluster.gateways[0]!;
  const batch = await cluster.outcome(client.agreedBatch(1, 60_000));
  must('the batch is shown', batch?.sequence === 1);
  must(
    'a question of a gateway changes no view',
    [0, 1, 3].every((index) => cluster.core(index).view === 0),
  );
  await end(cluster);
}

/**
 * Replica 2, Byzantine, vouches for a false signature, and 0 and 1 execute upon it while 3 is cut off. When 3 is back nobody waits for
 * anything, no checkpoint comes, and nobody can prove what was agreed.
 */
async function orderAgain(): Promise<void> {
  const cluster = await start({ byzantine: [2] });
  vouchFalsely(cluster);
  const join = cluster.isolate(3);
  await cluster.submit(increment);
  join();
  await cluster.until('3 has executed it', () => cluster.core(3).lastExecuted === 1, 10_000);
  must(
    'one new view was enough',
    [0, 1, 3].every((index) => cluster.core(index).view === 1),
  );
  await end(cluster);
}

/** Replica 2, Byzantine, vouches for a false signature, and the COMMIT of 3 comes to 0 and 1 once they have executed upon it; then 3 loses its log. */
async function hearTooLate(): Promise<void> {
  const cluster = await start({ byzantine: [2] });
  vouchFalsely(cluster);
  const late = cluster.lose(({ from, frame }) => frame.kind === 'commit' && from === 'replica-4');
  const request = cluster.send(increment);
  await cluster.until('all have executed it', () => [0, 1, 3].every((index) => cluster.core(index).lastExecuted === 1));
  late();
  for (const frame of said(cluster, 'commit', 3)) cluster.pass('redis', frame.bytes, 'commit', [0, 1]);
  await cluster.outcome(request);
  const others = cluster.lose(({ frame, from }) => frame.kind === 'decided' && from === 'replica-3');
  cluster.kill(3);
  cluster.loseLog(3);
  await cluster.revive(3);
  await cluster.until('it has it again', () => cluster.core(3).lastExecuted === 1, 2_000);
  must('nobody had to order it again', isInFirstView(cluster));
  await end(cluster);
  others();
}

function isInFirstView(cluster: ScriptedCluster): boolean {
  return [0, 1, 3].every((index) => cluster.core(index).view === 0);
}

function framesIn(cluster: ScriptedCluster, payload: Uint8Array): Frame[] {
  const { digest } = cluster.cluster.parts.founders.membership;
  const frames = (splitPacket(Buffer.from(payload)) as Buffer[]).map((bytes) => decodeFrame(bytes, digest));
  return frames.filter((frame) => typeof frame !== 'string');
}

/** What these replicas have said of this kind, as it went out. */
function said(cluster: ScriptedCluster, kind: string, ...signers: readonly number[]): readonly Frame[] {
  return (heardBy.get(cluster) ?? []).filter((frame) => frame.kind === kind && signers.includes(frame.signer));
}

const heardBy = new WeakMap<ScriptedCluster, Frame[]>();

/**
 * Has replica 2 send its COMMITs with MACs that fit over a false signature, until the function that is returned is called.
 * @param options whether it says of every batch that its log holds it no longer
 */
function vouchFalsely(cluster: ScriptedCluster, { isEmptyHanded = false } = {}): () => void {
  const { founders, signatures } = cluster.cluster.parts;
  const { membership } = founders;
  const context = { genesisDigest: membership.digest, epoch: membership.epoch, n: membership.n };
  const authenticator = new Authenticator(context, signatures.sessionKeysOf('replica-3'), replicaIndex(2));
  const { network } = cluster.cluster;
  const heard: Frame[] = [];
  heardBy.set(cluster, heard);
  const { onPublished } = network;
  network.onPublished = (from, channel, payload) => {
    onPublished(from, channel, payload);
    heard.push(...framesIn(cluster, payload));
  };
  cluster.intercept(2, (publications) => {
    for (const { channel, payload } of publications) {
      for (const frame of framesIn(cluster, payload)) {
        const vote = { body: frame.body, signature: Buffer.alloc(64, 7) };
        const lie = frame.kind === 'commit' ? { signature: vote.signature, attachment: authenticator.of(vote) } : {};
        if (isEmptyHanded && frame.kind === 'decided') cluster.say(2, 'decided', frame.body, { channel });
        else cluster.pass('replica-3', altered(cluster, frame, lie), channel);
      }
    }
  });
  return () => {
    cluster.seat(2).conduct = undefined;
  };
}

export const authenticators = {
  'COMMITs that are made up, MACs and all': makeUp,
  'a MAC that comes back to who has made it': reflect,
  'COMMITs whose signatures are exchanged on the way': exchangeSignatures,
  'a COMMIT that nobody else can be shown': proveByOthers,
  'a replica that goes on vouching for false signatures': believeNoLonger,
  'a batch that one replica alone can prove': proveByOne,
  'a batch that nobody can prove': orderAgain,
  'a COMMIT that comes too late to be needed': hearTooLate,
};
