import { beforeEach, describe, expect, it } from '@jest/globals';
import { Ed25519Signer } from '../../../src/crypto/signatures.js';
import { MemoryBus } from '../../../src/memory/memory-bus.js';
import { sequence, type Digest, type SequenceNumber } from '../../../src/pbft/types.js';
import type { Channel } from '../../../src/ports/bus.js';
import { Sealer } from '../../../src/wire/envelope.js';
import { decodeFrame, splitPacket } from '../../../src/wire/frame.js';
import type { Kind } from '../../../src/wire/kinds.js';
import { packets } from '../../../src/wire/packets.js';
import { encodeFetch, encodeStatus } from '../../../src/wire/service.js';
import { encodeFetchState } from '../../../src/wire/state-transfer.js';
import { encodeFetchBatch } from '../../../src/wire/views.js';
import { makeCluster, type MemoryCluster } from '../../support/cluster.js';

const MiB = 1024 * 1024;
/** What one peer is sent, at once and with each tick; and the largest answer, which may begin just below that. */
const atOnceBytes = 16 * MiB;
const perTickBytes = 2 * MiB;
const answerBytes = 4 * MiB;
/** Questions of one peer that are looked at. */
const atOnceQuestions = 2048;

/** A frame's kind, and who is said to have signed it. */
interface Said {
  readonly from: number;
  readonly kind: Kind;
  readonly bytes: number;
}

/** Everything that is published on these channels. */
async function overhear(cluster: MemoryCluster, channels: readonly Channel[]): Promise<Said[]> {
  const said: Said[] = [];
  await new MemoryBus(cluster.broker, 'eavesdropper').subscribe(channels, {
    onPayload: (_, payload) => {
      for (const bytes of splitPacket(payload) as Buffer[]) {
        const frame = decodeFrame(bytes, cluster.founders.membership.digest);
        if (typeof frame !== 'string') said.push({ from: frame.signer, kind: frame.kind, bytes: bytes.length });
      }
    },
    onConnected: () => undefined,
    onDisconnected: () => undefined,
  });
  return said;
}

/** A faulty replica 3 that asks replica 0 without end: it must not have it send without end. */
describe('what one peer asks for again and again', () => {
  let cluster: MemoryCluster;
  let faulty: Sealer;

  const sealerOf = (signer: number, key: number): Sealer => {
    const { membership, identities } = cluster.founders;
    const context = { genesisDigest: membership.digest, epoch: 0, n: 4 };
    return new Sealer(context, new Ed25519Signer(identities[key]!), signer);
  };
  const bytesOf = (said: readonly Said[], kind: Kind, by = 0): number =>
    said.filter(({ from, kind: its }) => from === by && its === kind).reduce((sum, { bytes }) => sum + bytes, 0);
  const overloads = (at = 0): number => new Map(cluster.life(at).node.host.refusals.entries()).get('overloaded') ?? 0;

  /** Publishes the frame so many times. */
  async function repeat(count: number, channel: Channel, frame: Buffer): Promise<void> {
    for (let index = 0; index < count; index++) cluster.broker.publish('replica-4', packets(channel, [frame]));
    await cluster.drain();
  }

  /** One batch of about so many bytes. @returns its digest, and its place */
  async function writeBatch(kib: number, at = 0): Promise<{ readonly place: SequenceNumber; readonly digest: Digest }> {
    const puts = Array.from({ length: kib / 32 }, (_, key) =>
      cluster.client.submit({ op: 'put', key: `key ${key}`, value: 'x'.repeat(32 * 1024) }),
    );
    const place = sequence((await cluster.outcome(Promise.all(puts))).at(-1)!.sequence);
    const { batch } = cluster.life(at).node.host.replica.certificateOf(place)!;
    return { place, digest: batch.digest };
  }

  /** A STATUS of one that is in view 0. */
  function lagging(): Buffer {
    const none = '00'.repeat(8);
    const where = { view: 0, lastExecuted: 0, stableCheckpoint: 0, stateDigest: 'a'.repeat(64) as Digest };
    const process = {
      incarnation: '11'.repeat(8),
      rival: none,
      startedAt: cluster.now,
      heard: [none, none, none, none],
    };
    return faulty.seal('status', encodeStatus({ ...where, ...process, isWhole: true, notVoting: '', refused: [] }));
  }

  beforeEach(async () => {
    cluster = await makeCluster();
    await cluster.crash(3);
    faulty = sealerOf(3, 3);
  });

  it('a batch: it is sent so many bytes, and more when time passes', async () => {
    const { place, digest } = await writeBatch(256);
    const said = await overhear(cluster, ['state']);
    const question = faulty.seal('fetch-batch', encodeFetchBatch({ target: 0, sequence: place, digest }));
    await repeat(200, 'state', question);
    expect(bytesOf(said, 'batch')).toBeGreaterThan(atOnceBytes);
    expect(bytesOf(said, 'batch')).toBeLessThan(atOnceBytes + answerBytes);
    expect(overloads()).toBeGreaterThan(100);
    for (let tick = 0; tick < 10; tick++) {
      await cluster.tick();
      await repeat(20, 'state', question);
    }
    expect(bytesOf(said, 'batch')).toBeGreaterThan(atOnceBytes + 8 * perTickBytes);
    expect(bytesOf(said, 'batch')).toBeLessThan(atOnceBytes + 10 * perTickBytes + answerBytes);
    // Nobody else is kept waiting.
    const before = bytesOf(said, 'batch');
    const other = sealerOf(2, 2).seal('fetch-batch', encodeFetchBatch({ target: 0, sequence: place, digest }));
    await repeat(1, 'state', other);
    expect(bytesOf(said, 'batch')).toBeGreaterThan(before);
  });

  it('committed batches', async () => {
    const { place } = await writeBatch(256);
    const said = await overhear(cluster, ['state']);
    const question = faulty.seal('fetch', encodeFetch({ target: 0, from: place, count: 1 }));
    for (let index = 0; index < 150; index++) await repeat(1, 'state', question);
    expect(bytesOf(said, 'decided')).toBeGreaterThan(atOnceBytes);
    expect(bytesOf(said, 'decided')).toBeLessThan(atOnceBytes + answerBytes);
  });

  it('the way into the view, by seeming to lag behind', async () => {
    await cluster.startReplica(3);
    await cluster.crash(0);
    await cluster.write(3); // in view 1
    const { place, digest } = await writeBatch(256, 1);
    for (const other of [2, 3]) await cluster.crash(other); // they would tell it, too
    const said = await overhear(cluster, ['new-view', 'state']);
    await repeat(6, 'status', lagging());
    expect(bytesOf(said, 'new-view', 1)).toBeGreaterThan(0); // to one in three: others are to tell it next
    await repeat(80, 'state', faulty.seal('fetch-batch', encodeFetchBatch({ target: 1, sequence: place, digest })));
    const before = [bytesOf(said, 'new-view', 1), overloads(1)] as const;
    await repeat(6, 'status', lagging());
    expect([bytesOf(said, 'new-view', 1), overloads(1)]).toEqual([before[0], before[1] + 2]);
    await cluster.tick();
    await repeat(6, 'status', lagging());
    expect(bytesOf(said, 'new-view', 1)).toBeGreaterThan(before[0]);
  });

  it('pieces of a state', async () => {
    await cluster.write(8);
    await cluster.until('the checkpoint moves', () => cluster.life(0).node.host.replica.stable.sequence === 8);
    const { proof } = cluster.life(0).node.host.replica.stable;
    const said = await overhear(cluster, ['state:replica-4']);
    const question = { ask: 'nodes', part: 0, nodes: Array.from({ length: 64 }, () => 1) } as const;
    const asked = { target: 0, nonce: 1, sequence: 8, digest: proof[0]!.digest, question };
    await repeat(150, 'state', faulty.seal('fetch-state', encodeFetchState(asked)));
    expect(bytesOf(said, 'state-chunk')).toBeGreaterThan(atOnceBytes);
    expect(bytesOf(said, 'state-chunk')).toBeLessThan(atOnceBytes + answerBytes);
  });

  it('in the name of another: that one is answered all the same', async () => {
    const { place, digest } = await writeBatch(32);
    const forged = sealerOf(3, 2).seal('fetch-batch', encodeFetchBatch({ target: 0, sequence: place, digest }));
    await repeat(atOnceQuestions + 500, 'state', forged);
    expect(Object.fromEntries(cluster.life(0).node.host.refusals.entries())).toMatchObject({
      'bad-signature': atOnceQuestions + 500,
    });
    const said = await overhear(cluster, ['state']);
    await repeat(1, 'state', faulty.seal('fetch-batch', encodeFetchBatch({ target: 0, sequence: place, digest })));
    expect(bytesOf(said, 'batch')).toBeGreaterThan(0);
  });

  it('a batch that it does not have: nothing is looked at', async () => {
    const digest = 'b'.repeat(64) as Digest;
    const forged = sealerOf(3, 2).seal('fetch-batch', encodeFetchBatch({ target: 0, sequence: sequence(1), digest }));
    await repeat(10, 'state', forged);
    expect(Object.fromEntries(cluster.life(0).node.host.refusals.entries())).toEqual({});
  });
});
