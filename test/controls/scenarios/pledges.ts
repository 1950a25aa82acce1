import { sha256Bytes } from '../../../src/crypto/digest.js';
import { replicaIndex, view } from '../../../src/pbft/types.js';
import type { PrePrepare } from '../../../src/pbft/messages.js';
import type { ScriptedCluster } from '../../../src/simulator/scripted-cluster.js';
import { decodeFrame, type Frame } from '../../../src/wire/frame.js';
import { openingBytes, voteSignatureBytes } from '../../../src/wire/kinds.js';
import { CheckedReplica } from '../../support/checked-replica.js';
import { prepare, proposal } from '../../support/core-messages.js';
import { certified, newViewFrom, viewChange } from '../../support/view-messages.js';
import { altered, end, increment, isFaulty, isVote, overhear, start } from './cluster-kit.js';
import { must } from './kit.js';

/** COMMITs that open what PREPAREs have pledged, and what Byzantine replicas make of that (rule 6). */

type Forging = (cluster: ScriptedCluster, heard: readonly Frame[]) => Promise<void>;

/**
 * In view 0, at `place`, replica 1 alone hears PREPAREs, and nobody a COMMIT, but for what 3, Byzantine, says or makes up. The others go
 * on in another view without 1.
 */
async function inventCommits(place: number, forge: Forging): Promise<void> {
  const cluster = await start({ byzantine: [3] });
  for (let before = 1; before < place; before++) await cluster.submit(increment);
  await cluster.until('all are there', () => [0, 1, 2].every((one) => cluster.core(one).lastExecuted === place - 1));
  const heard = overhear(cluster);
  const heal = cluster.lose((sent) => {
    return isVote(sent, 0, 'commit')
      ? sent.from !== 'replica-4'
      : isVote(sent, 0, 'prepare') && sent.to !== 'replica-2';
  });
  const first = cluster.send(increment);
  await forge(cluster, heard);
  await cluster.runFor(10);
  const join = cluster.isolate(1);
  const second = cluster.send({ op: 'put', key: 'other', value: 1 }, 1);
  await cluster.until('the others go on', () => isFaulty(cluster) || cluster.core(2).lastExecuted >= place);
  heal();
  join();
  for (const request of [first, second]) await cluster.outcome(request);
  await end(cluster);
}

/** Replica 3 makes COMMITs of all PREPAREs. */
async function passOffPrepares(): Promise<void> {
  await inventCommits(1, async (cluster, heard) => {
    await cluster.until('prepared at 1', () => cluster.core(1).lastPrepared === 1);
    for (const frame of heard.filter(({ kind }) => kind === 'prepare')) {
      cluster.pass('replica-4', altered(cluster, frame, { kind: 'commit' }), 'commit', [1]);
    }
  });
}

/** Replica 3 tells 1 a pledge that 2 has not made, and opens it. */
async function makeUpPledge(): Promise<void> {
  const opening = Buffer.alloc(openingBytes, 9);
  const signature = Buffer.alloc(voteSignatureBytes - openingBytes, 7);
  await inventCommits(1, async (cluster, heard) => {
    cluster.intercept(3, () => undefined);
    const genuine = cluster.lose((sent) => isVote(sent, 0, 'prepare') && sent.from !== 'replica-4');
    const ofTwo = ({ kind, signer }: Frame): boolean => kind === 'prepare' && signer === 2;
    await cluster.until('2 has prepared', () => heard.some(ofTwo));
    const prepare = heard.find(ofTwo)!;
    const pledged = { signature: Buffer.concat([signature, sha256Bytes(opening)]) };
    cluster.pass('replica-4', altered(cluster, prepare, pledged), 'prepare', [1]);
    cluster.say(3, 'prepare', prepare.body, { to: [1] });
    await cluster.until('prepared at 1', () => cluster.core(1).lastPrepared === 1);
    cluster.say(3, 'commit', prepare.body, { to: [1] });
    const opened = { kind: 'commit', signature: Buffer.concat([signature, opening]) } as const;
    cluster.pass('replica-4', altered(cluster, prepare, opened), 'commit', [1]);
    genuine();
    cluster.seat(3).conduct = undefined;
  });
}

/** Replica 3 opens a pledge of its own to 1 with a signature that is none: nobody else could be shown that COMMIT. */
async function openUnsigned(): Promise<void> {
  await inventCommits(1, async (cluster, heard) => {
    const genuine = cluster.lose((sent) => isVote(sent, 0, 'prepare') && sent.from !== 'replica-4');
    await cluster.until('prepared at 1 by what 3 has said', () => cluster.core(1).lastPrepared === 1);
    const { body } = heard.find(({ kind }) => kind === 'prepare')!;
    const bytes = cluster.frame(3, 'commit', body);
    const commit = decodeFrame(bytes, cluster.cluster.parts.founders.membership.digest) as Frame;
    const signature = Buffer.alloc(voteSignatureBytes, 7);
    commit.signature.copy(signature, voteSignatureBytes - openingBytes, voteSignatureBytes - openingBytes);
    const refused = () => new Map(cluster.seat(1).life!.node.host.refusals.entries()).get('bad-signature') ?? 0;
    const before = refused();
    cluster.pass('replica-4', altered(cluster, commit, { signature }), 'commit', [1]);
    await cluster.runFor(10);
    must('it is refused', refused() === before + 1);
    genuine();
  });
}

/** Replica 3 opens 2's pledge for one batch with what has opened its pledge for the one before. */
async function openTwice(): Promise<void> {
  await inventCommits(2, async (cluster, heard) => {
    const ofTwo = ({ kind, signer }: Frame): boolean => kind === 'prepare' && signer === 2;
    await cluster.until('prepared at 1', () => cluster.core(1).lastPrepared === 2 && heard.some(ofTwo));
    const prepare = heard.find(ofTwo)!;
    const logged = cluster.copyLog(1).get(1)!.get('commit:0:replica-3')!;
    const before = decodeFrame(logged, cluster.cluster.parts.founders.membership.digest) as Frame;
    const signature = Buffer.concat([
      prepare.signature.subarray(0, -openingBytes),
      before.signature.subarray(-openingBytes),
    ]);
    cluster.say(3, 'commit', prepare.body, { to: [1] });
    cluster.pass('replica-4', altered(cluster, prepare, { kind: 'commit', signature }), 'commit', [1]);
  });
}

/** Replica 2 prepares what view 1 orders, and loses its log. The view's primary, Byzantine, begins it a second time, with another order. */
function prepareTwice(): void {
  const inView1 = (about: PrePrepare): PrePrepare => ({ ...about, view: view(1), replica: replicaIndex(1) });
  const [first, second] = [proposal(1, 'first'), proposal(1, 'second')];
  const replica = new CheckedReplica({ self: 2, isStarted: false });
  const { view: begun, sequence, digest } = inView1(first);
  replica.step({ kind: 'promise', promise: { kind: 'prepare', view: begun, sequence, digest } });
  replica.tick();
  const told = { prepared: [certified(second)] };
  replica.receive(newViewFrom([viewChange(0, 1, told), viewChange(1, 1), viewChange(3, 1)]));
  replica.step({ kind: 'batch', sequence, batch: second.batch! });
  const effects = replica.receive(prepare(0, inView1(second)), prepare(3, inView1(second)));
  must('the second batch has prepared', replica.core.preparedAt(sequence)?.prePrepare.digest === second.digest);
  must('no COMMIT shows a second PREPARE', !effects.some(({ kind }) => kind === 'broadcast'));
}

export const pledges = {
  'PREPAREs that are passed off as COMMITs': passOffPrepares,
  'a pledge that is made up, and opened': makeUpPledge,
  'a pledge that is opened under no signature': openUnsigned,
  'an opening that is used twice': openTwice,
  'two NEW-VIEWs for one view, and a restart between them': prepareTwice,
};
