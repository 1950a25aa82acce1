import { sha256Bytes } from '../../../src/crypto/digest.js';
import { digest, sequence, view } from '../../../src/pbft/types.js';
import type { ScriptedCluster } from '../../../src/simulator/scripted-cluster.js';
import { decodeFrame, splitPacket, type Frame } from '../../../src/wire/frame.js';
import { digestOfBatchBytes, encodeBatch, encodePhaseBody } from '../../../src/wire/phase.js';
import { decodeViewChange, encodeFetchBatch, encodeViewChange } from '../../../src/wire/views.js';
import { altered, end, increment, isFaulty, isVote, overhear, start, voteIn } from './cluster-kit.js';
import { must } from './kit.js';

/** What hosts do: production code from the bytes of each message on, with replicas that lie in bytes. */

/** Replica 3, Byzantine, silent, asks 1 for a batch, and has its answer be 1's CHECKPOINT for 2. */
async function passOffBatch(): Promise<void> {
  const cluster = await start({ byzantine: [3] });
  const heard = overhear(cluster);
  cluster.intercept(3, () => undefined);
  const genuine = cluster.lose(({ frame, from }) => frame.kind === 'checkpoint' && from !== 'replica-4');
  for (let count = 0; count < 4; count++) await cluster.submit(increment);
  const { digest: asked } = heard.map(voteIn).find((vote) => vote?.kind === 'pre-prepare' && vote.sequence === 4)!;
  const question = encodeFetchBatch({ target: 1, sequence: sequence(4), digest: asked });
  cluster.say(3, 'fetch-batch', question, { channel: 'state' });
  await cluster.until('1 answers', () => heard.some(({ kind }) => kind === 'batch'));
  const answer = heard.find(({ kind }) => kind === 'batch')!;
  const lie = altered(cluster, answer, { kind: 'checkpoint', attachment: Buffer.alloc(0) });
  cluster.pass('replica-4', lie, 'checkpoint', [2]);
  await cluster.runFor(10);
  genuine();
  await cluster.until('all know of the checkpoint', () =>
    [0, 1, 2].every((one) => cluster.core(one).stable.sequence === 4),
  );
  await end(cluster);
}

/** Replica 1, which has prepared alone, begins view 1; 2 does not hear of it. Replica 3, Byzantine, says for 2 what it said in view 0. */
async function prepareAgain(): Promise<void> {
  const cluster = await start({ byzantine: [3] });
  const heard = overhear(cluster);
  const inView0 = cluster.lose(
    (sent) => isVote(sent, 0, 'commit') || (isVote(sent, 0, 'prepare') && sent.to !== 'replica-2'),
  );
  const request = cluster.send(increment);
  await cluster.until('prepared at 1', () => cluster.core(1).lastPrepared === 1);
  const deaf = cluster.lose(({ to, frame }) => to === 'replica-3' && frame.kind === 'new-view');
  const mute = cluster.lose((sent) => isVote(sent, 1, 'prepare') && sent.from !== 'replica-4');
  cluster.kill(0);
  await cluster.until('view 1 begins', () => cluster.core(1).view === 1 && !cluster.core(1).isChangingView);
  const said = heard.find(({ kind, signer }) => kind === 'prepare' && signer === 2)!;
  const vote = voteIn(said)!;
  const body = encodePhaseBody({ ...vote, view: view(1) });
  cluster.pass('replica-4', altered(cluster, said, { body }), 'prepare', [1]);
  await cluster.until('1 asks for a later view', () => {
    const isLater = ({ kind, signer, body: bytes }: Frame): boolean =>
      kind === 'view-change' && signer === 1 && decodeViewChange(bytes).view > 1;
    return isFaulty(cluster) || heard.some(isLater);
  });
  for (const heal of [inView0, deaf, mute]) heal();
  await cluster.revive(0);
  await cluster.outcome(request);
  await end(cluster);
}

/** Replica 0, Byzantine, proposes to 1 what the gateways have sent, one request each time, at the same sequence number. */
async function proposeTwice(): Promise<void> {
  const cluster = await start({ byzantine: [0] });
  const heard = overhear(cluster);
  cluster.intercept(0, () => undefined);
  const requests = [cluster.send(increment, 0), cluster.send(increment, 1)];
  await cluster.runFor(5);
  const votes = (): Frame[] => heard.filter(({ kind, signer }) => kind === 'prepare' && signer === 1);
  const [one, other] = heard.filter(({ kind }) => kind === 'request').map(({ bytes }) => bytes);
  propose(cluster, one!);
  await cluster.until('1 has voted', () => votes().length > 0);
  cluster.kill(1);
  await cluster.revive(1);
  propose(cluster, other!);
  await cluster.runFor(20);
  cluster.seat(0).conduct = undefined;
  for (const request of requests) await cluster.outcome(request);
  await end(cluster);
}

/** Replica 0 proposes a bundle to 1, first of all in view 0. */
function propose(cluster: ScriptedCluster, bundle: Buffer): void {
  const attachment = encodeBatch(view(0), cluster.seat(0).clock, [bundle]);
  const body = encodePhaseBody({ view: view(0), sequence: sequence(1), digest: digestOfBatchBytes(attachment) });
  cluster.say(0, 'pre-prepare', body, { to: [1], attachment });
}

/** While 3 is cut off the value changes; it hears the question first, and its answer is the first to be there. */
async function readFromOneBehind(): Promise<void> {
  const cluster = await start();
  await cluster.submit({ op: 'put', key: 'key', value: 'old' });
  const heal = cluster.lose(
    ({ to, from, frame }) =>
      (to === 'replica-4' || from === 'replica-4') && frame.kind !== 'query' && frame.kind !== 'query-reply',
  );
  await cluster.submit({ op: 'put', key: 'key', value: 'new' });
  const late = cluster.lose(({ to, frame }) => frame.kind === 'query' && to !== 'replica-4');
  const { client } = cluster.cluster.gateways[0]!;
  const reading = client.query({ op: 'get', key: 'key' }, 'linearizable', 60_000);
  await cluster.runFor(10);
  late();
  const { value } = await cluster.outcome(reading);
  must(`what was acknowledged is read, not ${JSON.stringify(value)}`, value === 'new');
  heal();
  await end(cluster);
}

/** Replica 3 was away for longer than anybody's log; 2, Byzantine, hands out another value than the one that was agreed. */
async function handOutLies(): Promise<void> {
  const cluster = await start({ byzantine: [2] });
  const heal = cluster.isolate(3);
  await cluster.submit({ op: 'put', key: 'key', value: 'what was agreed' });
  for (let count = 0; count < 32; count++) await cluster.submit({ op: 'put', key: `key ${count}`, value: count });
  cluster.intercept(2, (publications) => {
    for (const { channel, payload } of publications) {
      for (const bytes of splitPacket(Buffer.from(payload)) as Buffer[])
        cluster.pass('replica-3', lied(cluster, bytes), channel);
    }
  });
  // Only who lies is heard, so that somebody asks it.
  const others = cluster.lose(({ from, to, frame }) => {
    return to === 'replica-4' && (frame.kind === 'decided' || (frame.kind === 'state-chunk' && from !== 'replica-3'));
  });
  heal();
  await cluster.runFor(3_000);
  others();
  await end(cluster);
}

/** Replica 3 fetches the state; then another gateway asks for what was executed before that. */
async function askAgainAfterTransfer(): Promise<void> {
  const cluster = await start();
  const [one, other] = cluster.cluster.gateways.map(({ client }) => client);
  const options = { idempotencyKey: 'once', deadlineMs: 60_000 };
  const heal = cluster.isolate(3);
  await cluster.outcome(one!.submit(increment, options));
  for (let count = 0; count < 32; count++) await cluster.submit({ op: 'put', key: `key ${count}`, value: count });
  heal();
  const log = cluster.lose(({ to, frame }) => to === 'replica-4' && frame.kind === 'decided');
  await cluster.until('3 has the state', () => cluster.core(3).lastExecuted >= 32);
  log();
  await cluster.outcome(other!.submit(increment, options));
  await cluster.runFor(2_000);
  must('nobody waits for it to be executed again', !cluster.core(3).isChangingView);
  await end(cluster);
}

/** A chunk of replica 2 with another value in it, signed by it. */
function lied(cluster: ScriptedCluster, bytes: Buffer): Buffer {
  const frame = decodeFrame(bytes, cluster.cluster.parts.founders.membership.digest);
  if (typeof frame === 'string' || frame.kind !== 'state-chunk') return bytes;
  const attachment = Buffer.from(frame.attachment);
  const at = attachment.indexOf('what was agreed');
  if (at < 0) return bytes;
  attachment.write('what was forged', at);
  const body = Buffer.from(frame.body);
  sha256Bytes(attachment).copy(body, body.length - 32);
  return cluster.frame(2, 'state-chunk', body, attachment);
}

/** The VIEW-CHANGE of one that has nothing to show. */
const nothingToShow = (target: number): Buffer =>
  encodeViewChange({
    view: view(target),
    stable: { sequence: sequence(0), digest: digest('0'.repeat(64)), signatures: [] },
    prepared: [],
  });

/**
 * Replica 3 enters view 1 without asking for it, and commits x there. When its log is set back, and its folder is whole, it comes back in
 * view 0, where 0, Byzantine, proposes y to it, for which 2 has voted before. Then view 2 begins without 1.
 */
async function voteBelow(): Promise<void> {
  const cluster = await start({ byzantine: [0] });
  const heard = overhear(cluster);
  let isVoting = false; // replica 0 says nothing of itself, but for its votes in view 1
  cluster.intercept(0, (publications) => {
    const votes = publications.filter(({ channel }) => /^(prepare|commit|reply)/.test(channel));
    if (isVoting) cluster.cluster.network.publish('replica-1', votes);
  });
  const unheard = cluster.lose(({ frame }) => frame.kind === 'request');
  cluster.send({ op: 'put', key: 'key', value: 'y' }, 0).catch(() => undefined);
  await cluster.runFor(5);
  const attachment = encodeBatch(view(0), cluster.seat(0).clock, [heard.find(({ kind }) => kind === 'request')!.bytes]);
  const y = { view: view(0), sequence: sequence(1), digest: digestOfBatchBytes(attachment) };
  const proposal = encodePhaseBody(y);
  const mute = cluster.lose((sent) => isVote(sent, 0, 'prepare'));
  cluster.say(0, 'pre-prepare', proposal, { to: [2], attachment });
  await cluster.runFor(5);
  unheard();
  const apart = [
    cluster.lose(({ frame, to }) => to === 'replica-4' && ['request', 'view-change', 'commit'].includes(frame.kind)),
    cluster.lose(({ frame, from }) => frame.kind === 'request' && from === 'gateway-1'),
  ];
  const x = cluster.send({ op: 'put', key: 'key', value: 'x' }, 1);
  await cluster.until('1 and 2 ask for view 1', () => [1, 2].every((index) => cluster.core(index).view === 1));
  apart.push(cluster.lose(({ from, to, frame }) => frame.kind !== 'view-change' && [from, to].includes('replica-3')));
  isVoting = true;
  cluster.say(0, 'view-change', nothingToShow(1), { to: [1, 2] });
  await cluster.until('1 has executed x', () => cluster.core(1).lastExecuted === 1);
  await cluster.outcome(x);
  isVoting = false;
  const join = cluster.isolate(1);
  cluster.kill(3);
  cluster.loseLog(3);
  await cluster.revive(3);
  cluster.say(0, 'pre-prepare', proposal, { to: [3], attachment });
  mute();
  const vote = heard.find(
    (frame) => frame.kind === 'prepare' && frame.signer === 2 && voteIn(frame)?.digest === y.digest,
  )!;
  cluster.pass('replica-1', vote.bytes, 'prepare', [3]);
  await cluster.runFor(20);
  for (const heal of apart) heal();
  for (let round = 0; round < 100 && !isFaulty(cluster); round++) {
    cluster.say(0, 'view-change', nothingToShow(2), { to: [2, 3] });
    await cluster.runFor(50);
  }
  join();
  await end(cluster);
}

export const onTheWire = {
  'a BATCH that is passed off as a CHECKPOINT': passOffBatch,
  'a PREPARE that is passed off as one of a later view': prepareAgain,
  'a read that a replica answers first which is behind': readFromOneBehind,
  'another proposal after a restart': proposeTwice,
  'a proposal in an earlier view, after a restart': voteBelow,
  'what was executed before a state was fetched': askAgainAfterTransfer,
  'a state that is handed out with another value in it': handOutLies,
};
