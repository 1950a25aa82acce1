import { sequence, view } from '../../../src/pbft/types.js';
import { ScriptedCluster, type Sent } from '../../../src/simulator/scripted-cluster.js';
import { Sealer } from '../../../src/wire/envelope.js';
import { decodeFrame, gatewaySigner, splitPacket, type Frame } from '../../../src/wire/frame.js';
import { canonicalJsonBytes } from '../../../src/wire/json.js';
import { decodePhaseBody, digestOfBatchBytes, encodeBatch, encodePhaseBody } from '../../../src/wire/phase.js';
import { decodeQuery, encodeQuery } from '../../../src/wire/service.js';
import { must } from './kit.js';

/** What readers found by thought: each broke agreement, stopped the cluster for ever or misled a reader. */

const put = (key: string, value: number) => ({ op: 'put', key, value });

/** A cluster whose replica 1 is Byzantine and keeps to itself what it would publish. */
class Plot {
  readonly heard: Frame[] = [];
  readonly caught: Frame[] = [];
  private losses: (() => void)[] = [];

  private constructor(readonly cluster: ScriptedCluster) {
    const { network } = cluster.cluster;
    const { onPublished } = network;
    network.onPublished = (from, channel, payload) => {
      onPublished(from, channel, payload);
      this.heard.push(...this.framesIn(payload));
    };
  }

  static async start(byzantine: number, more = {}): Promise<Plot> {
    return new Plot(
      await ScriptedCluster.start({ checkpointInterval: 4, logSize: 8, byzantine: [byzantine], ...more }),
    );
  }

  lose(isLost: (sent: Sent) => boolean): void {
    this.losses.push(this.cluster.lose(isLost));
  }

  isolate(index: number): void {
    this.losses.push(this.cluster.isolate(index));
  }

  heal(): void {
    for (const heal of this.losses.splice(0)) heal();
  }

  /** From now on it says nothing by itself. */
  silence(index: number): void {
    this.cluster.intercept(index, (publications) => {
      for (const { payload } of publications) this.caught.push(...this.framesIn(Buffer.from(payload)));
    });
  }

  async newView(): Promise<Frame> {
    await this.cluster.until('the next view could begin', () => this.caught.some(({ kind }) => kind === 'new-view'));
    return this.caught.find(({ kind }) => kind === 'new-view')!;
  }

  /** A batch of the last request that was sent, proposed by `primary`. */
  proposal(primary: number, place: number, offMs = 0) {
    const bundle = this.heard.filter(({ kind }) => kind === 'request').at(-1)!.bytes;
    const attachment = encodeBatch(view(primary), this.cluster.seat(primary).clock + offMs, [bundle]);
    const digest = digestOfBatchBytes(attachment);
    const body = encodePhaseBody({ view: view(primary), sequence: sequence(place), digest });
    return { body, attachment, frame: this.cluster.frame(primary, 'pre-prepare', body, attachment) };
  }

  /** What these others said of a place in view 1, told again. */
  retell(kind: 'prepare' | 'commit', place: number, to: readonly number[]): void {
    for (const frame of this.heard.filter((one) => one.kind === kind)) {
      const about = decodePhaseBody(kind, frame.signer, frame.body);
      if (about.sequence !== place || about.view !== 1) continue;
      this.cluster.pass(
        'replica-2',
        frame.bytes,
        kind,
        to.filter((index) => index !== frame.signer),
      );
    }
  }

  /** Puts what whoever runs Redis likes into a log, and starts its replica on that. */
  async restartOn(index: number, change: (hashes: ReturnType<ScriptedCluster['copyLog']>) => void): Promise<void> {
    const { cluster } = this;
    cluster.kill(index);
    const hashes = cluster.copyLog(index);
    change(hashes);
    cluster.putBackLog(index, hashes);
    await cluster.revive(index);
    await cluster.runFor(20);
  }

  private framesIn(payload: Buffer): Frame[] {
    const { digest } = this.cluster.cluster.parts.founders.membership;
    return (splitPacket(payload) as Buffer[]).flatMap((bytes) => {
      const frame = decodeFrame(bytes, digest);
      return typeof frame === 'string' ? [] : [frame];
    });
  }
}

/** Whatever else a scenario shows, no checker has seen anything. */
async function sound(scenario: () => Promise<Plot>): Promise<void> {
  const { violation } = (await scenario()).cluster;
  if (violation !== undefined) throw new Error(`${violation.checker}: ${violation.what}`);
}

/** 1 to 4 are acknowledged without 3; then 2 restarts without its log, and 0 is silent. @returns view 1's NEW-VIEW, told to 2 and 3 */
async function beginView1(plot: Plot): Promise<void> {
  const { cluster } = plot;
  plot.silence(1);
  cluster.send(put('x', 99)).catch(() => undefined);
  cluster.pass('replica-2', (await plot.newView()).bytes, 'new-view', [2, 3]);
  const isThere = (index: number): boolean => cluster.core(index).view === 1 && !cluster.core(index).isChangingView;
  await cluster.until('they are in view 1', () => [2, 3].every(isThere));
}

async function beyondTheWindow(): Promise<Plot> {
  const plot = await Plot.start(1, { requestTimeoutTicks: 60 });
  const { cluster } = plot;
  plot.isolate(3);
  for (let count = 1; count <= 4; count++) await cluster.submit(put(`k${count}`, count));
  await cluster.until('stable', () => [0, 1, 2].every((index) => cluster.core(index).stable.sequence === 4));
  plot.lose(({ frame }) => frame.kind === 'checkpoint');
  for (let count = 5; count <= 9; count++) await cluster.submit(put(`k${count}`, count));
  await cluster.until('executed', () => [0, 1, 2].every((index) => cluster.core(index).lastExecuted === 9));
  cluster.kill(2);
  cluster.loseLog(2);
  plot.heal();
  const behind = ['replica-3', 'replica-4'];
  const late = ['checkpoint', 'decided', 'state-chunk', 'batch'];
  const held = cluster.lose(({ to, frame }) => behind.includes(to) && late.includes(frame.kind));
  await cluster.revive(2);
  cluster.lose(({ from, to, frame }) => frame.kind === 'pre-prepare' && from === 'replica-1' && behind.includes(to));
  await beginView1(plot);
  held();
  const isLate = ({ to, frame }: Sent): boolean => behind.includes(to) && ['decided', 'batch'].includes(frame.kind);
  cluster.lose(isLate);
  const { body, attachment } = plot.proposal(1, 9);
  const told = new Set<number>();
  for (let ms = 0; ms < 8_000 && told.size < 2; ms++) {
    await cluster.runFor(1);
    for (const index of [2, 3]) {
      if (told.has(index) || cluster.core(index).stable.sequence < 4) continue;
      told.add(index);
      cluster.say(1, 'pre-prepare', body, { to: [index], attachment });
    }
  }
  must('both get so far', told.size === 2);
  await cluster.runFor(5);
  const voted = plot.heard.filter(({ kind }) => kind === 'prepare').map(({ body: said }) => said);
  must('nobody votes where the view has its order', !voted.some((said) => said.equals(body)));
  return plot;
}

async function belowTheCheckpoint(): Promise<Plot> {
  const plot = await Plot.start(1);
  const { cluster } = plot;
  plot.isolate(3);
  for (let count = 1; count <= 4; count++) await cluster.submit(put(`k${count}`, count));
  await cluster.until('stable', () => [0, 1, 2].every((index) => cluster.core(index).stable.sequence === 4));
  plot.heal();
  plot.lose(({ to, frame }) => to === 'replica-4' && ['decided', 'checkpoint', 'state-chunk'].includes(frame.kind));
  plot.isolate(0);
  await beginView1(plot);
  const { body, attachment } = plot.proposal(1, 1);
  cluster.say(1, 'pre-prepare', body, { to: [2, 3], attachment });
  await cluster.runFor(50);
  const votes = plot.heard.filter(({ kind }) => kind === 'prepare');
  const about = votes.map(({ signer, body: said }) => decodePhaseBody('prepare', signer, said));
  must('nobody votes below the checkpoint', !about.some((vote) => vote.view === 1 && vote.sequence <= 4));
  return plot;
}

async function plantedProposal(): Promise<Plot> {
  const plot = await Plot.start(1);
  const { cluster } = plot;
  plot.lose(({ to, frame }) => frame.kind === 'commit' && to !== 'replica-1');
  cluster.send(put('k', 1)).catch(() => undefined);
  const prepared = (index: number): boolean => cluster.core(index).lastPrepared === 1;
  await cluster.until('0 has executed', () => cluster.core(0).lastExecuted === 1 && prepared(2) && prepared(3));
  plot.isolate(0);
  plot.silence(1);
  cluster.send(put('x', 99)).catch(() => undefined);
  const newView = await plot.newView();
  plot.heal();
  plot.isolate(0);
  const lie = plot.proposal(1, 1);
  for (const index of [2, 3]) {
    await plot.restartOn(index, (hashes) => {
      hashes.get('replica')!.set('new-view', newView.bytes);
      hashes.get(1)!.set('pre-prepare:1', lie.frame);
    });
  }
  plot.retell('prepare', 1, [3]);
  await cluster.runFor(5);
  plot.retell('commit', 1, [3]);
  cluster.say(1, 'commit', lie.body, { to: [2, 3] });
  await cluster.runFor(100);
  must(
    'nobody executes it',
    [2, 3].every((index) => cluster.core(index).lastExecuted === 0),
  );
  return plot;
}

async function plantedTime(): Promise<Plot> {
  const plot = await Plot.start(0);
  const { cluster } = plot;
  plot.silence(0);
  cluster.send(put('x', 99)).catch(() => undefined);
  await cluster.runFor(5);
  const lie = plot.proposal(0, 1, 10 * 365 * 86_400_000);
  for (const index of [1, 2]) {
    await plot.restartOn(index, (hashes) => hashes.set(1, new Map([['pre-prepare:0', lie.frame]])));
  }
  cluster.say(0, 'commit', lie.body, { to: [1, 2] });
  await cluster.runFor(300);
  cluster.seat(0).conduct = undefined;
  await cluster.submit(put('later', 1), 1);
  must('nobody votes for it', !plot.heard.some(({ kind, body }) => kind === 'prepare' && body.equals(lie.body)));
  return plot;
}

async function foreignNonce(): Promise<Plot> {
  const plot = await Plot.start(3);
  const { cluster } = plot;
  await cluster.submit(put('x', 1));
  await cluster.submit(put('y', 2));
  await cluster.runFor(1000);
  const { network, parts } = cluster.cluster;
  const { founders, signatures } = parts;
  const context = { genesisDigest: founders.membership.digest, epoch: 0, n: 4 };
  const accomplice = new Sealer(context, signatures.signerOf('gateway-2'), gatewaySigner);
  const { onPublished } = network;
  let isAsked = false;
  cluster.lose(({ from, frame }) => frame.kind === 'query' && from === 'gateway-1');
  network.onPublished = (from, channel, payload) => {
    onPublished(from, channel, payload);
    for (const bytes of splitPacket(payload) as Buffer[]) {
      const frame = decodeFrame(bytes, founders.membership.digest);
      if (typeof frame === 'string') continue;
      if (frame.kind === 'query' && from === 'gateway-1' && !isAsked) {
        isAsked = true;
        const { nonce } = decodeQuery(frame.body);
        const query = Buffer.from(canonicalJsonBytes({ op: 'get', key: 'y' }));
        const body = encodeQuery({ credential: signatures.credentialOf('gateway-2'), nonce, query });
        cluster.pass('gateway-2', accomplice.seal('query', body), 'request');
      }
      if (frame.kind === 'query-reply' && channel === 'reply:gateway-2') cluster.pass(from, bytes, 'reply:gateway-1');
    }
  };
  const { client } = cluster.cluster.gateways[0]!;
  const { value } = await cluster.outcome(client.query({ op: 'get', key: 'x' }, 'linearizable', 60_000));
  must('something else was asked', isAsked);
  must(`what was asked is answered, not ${JSON.stringify(value)}`, value === 1);
  return plot;
}

export const readersFound = {
  'a NEW-VIEW that orders beyond the window of two': () => sound(beyondTheWindow),
  'a view that begins above a checkpoint which two have not heard of': () => sound(belowTheCheckpoint),
  'a proposal that the view does not order, put into two logs': () => sound(plantedProposal),
  'a proposal at a time far off, put into two logs': () => sound(plantedTime),
  'a read under the nonce of which another gateway asks something else': () => sound(foreignNonce),
};
