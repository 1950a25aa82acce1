import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { generateIdentity } from '../../src/crypto/ed25519.js';
import { Ed25519Signer } from '../../src/crypto/signatures.js';
import { parseMembership, type Membership } from '../../src/crypto/membership.js';
import { digest, sequence, view } from '../../src/pbft/types.js';
import { Sealer } from '../../src/wire/envelope.js';
import { joinPacket, splitPacket } from '../../src/wire/frame.js';
import type { Kind } from '../../src/wire/kinds.js';
import { encodePhaseBody } from '../../src/wire/phase.js';
import { Redis } from 'ioredis';
import { Random } from '../support/seeds.js';
import type { ClusterStatus } from '../../src/client/cluster-client.js';
import { eventually } from '../support/cluster-waiting.js';
import { testTimeoutMs, TestCluster, type Api } from './support.js';

jest.setTimeout(testTimeoutMs);

const phases = ['pre-prepare', 'prepare', 'commit'] as const;
const channels = ['request', ...phases, 'checkpoint', 'view-change', 'new-view', 'status', 'state'];
const increment = { op: 'increment', key: 'n' };

describe('frames that a stranger publishes straight into the channels', () => {
  let cluster: TestCluster;
  let api: Api;
  const captured = new Map<string, Buffer>();
  let redis: Redis;
  let membership: Membership;

  beforeAll(async () => {
    cluster = await TestCluster.start({});
    api = cluster.api();
    redis = new Redis(cluster.redisUrl ?? '');
    const ear = redis.duplicate();
    ear.on('messageBuffer', (channel: Buffer, payload: Buffer) => {
      captured.set(channel.toString().split(':').at(-1) ?? '', payload);
    });
    await ear.subscribe(...phases.map((phase) => `quorate:{${cluster.name}}:${phase}`));
    await api.agreed(increment);
    await eventually('all phases were heard', () => captured.size === phases.length);
    ear.disconnect();
    membership = parseMembership((await api.ask<object>('/v1/membership')).body);
  });

  afterAll(async () => {
    redis.disconnect();
    await TestCluster.removeAll();
  });

  const publish = (channel: string, payload: Buffer): Promise<number> =>
    redis.publish(`quorate:{${cluster.name}}:${channel}`, payload);
  const refusals = (status: ClusterStatus, reason: string): number[] =>
    status.replicas.map(({ refused }) => refused[reason] ?? 0);
  const frameOf = (phase: string): Buffer => {
    const frames = splitPacket(captured.get(phase) ?? Buffer.alloc(0));
    if (typeof frames === 'string' || frames[0] === undefined) throw new Error('nothing was captured');
    return frames[0];
  };

  /** Publishes, waits until at least three replicas have counted the refusals, and checks that nothing else happened. */
  const refused = async (reason: string, frames: readonly { channel: string; payload: Buffer }[]): Promise<void> => {
    const before = await api.agreement();
    for (const { channel, payload } of frames) await publish(channel, payload);
    const after = await api.statusWhere((status) => {
      const counted = refusals(status, reason).map((count, index) => count - (refusals(before, reason)[index] ?? 0));
      return counted.filter((count) => count >= frames.length).length >= 3;
    });
    const essence = ({ view: current, replicas }: ClusterStatus): unknown => [
      current,
      replicas.map(({ lastExecuted, stateDigest }) => [lastExecuted, stateDigest]),
    ];
    expect(essence(after)).toEqual(essence(before));
    await api.agreed(increment);
  };

  /** A vote for the next sequence number, over any kind, signer and cluster, by a key that nobody knows. */
  const forged = (kind: Kind, signer: number, genesisDigest = membership.digest, epoch = 0, inView = 0): Buffer => {
    const sealer = new Sealer({ genesisDigest, epoch, n: 4 }, new Ed25519Signer(generateIdentity()), signer);
    const body = encodePhaseBody({ view: view(inView), sequence: sequence(40), digest: digest('ab'.repeat(32)) });
    return joinPacket([sealer.seal(kind, body)]);
  };

  it('with a wrong key or another replica’s name', async () => {
    await refused('bad-signature', [
      { channel: 'prepare', payload: forged('prepare', 2) },
      { channel: 'commit', payload: forged('commit', 2) },
    ]);
  });

  it('of no replica, another cluster, another epoch, another kind, another view', async () => {
    const otherCluster = Buffer.alloc(32, 7);
    await refused('unknown-signer', [{ channel: 'commit', payload: forged('commit', 9) }]);
    await refused('wrong-cluster', [{ channel: 'commit', payload: forged('commit', 1, otherCluster) }]);
    await refused('wrong-epoch', [{ channel: 'commit', payload: forged('commit', 1, membership.digest, 1) }]);
    await refused('wrong-channel', [{ channel: 'commit', payload: forged('prepare', 1) }]);
    await refused('future-view', [{ channel: 'commit', payload: forged('commit', 1, membership.digest, 0, 7) }]);
  });

  it('a PREPARE replayed as a COMMIT', async () => {
    const asCommit = Buffer.from(frameOf('prepare'));
    asCommit.writeUInt8(4, 1); // the kind, which the signature covers through the preamble
    asCommit.writeUInt8(200, 39); // the last byte of the sequence number: one that nobody has executed yet
    await refused('bad-signature', [{ channel: 'commit', payload: joinPacket([asCommit]) }]);
    await refused('wrong-channel', [{ channel: 'commit', payload: joinPacket([frameOf('prepare')]) }]);
  });

  it('cut off, lengthened, or far too long', async () => {
    const frame = frameOf('commit');
    const short = Array.from({ length: frame.length - 1 }, (_, length) => joinPacket([frame.subarray(0, length + 1)]));
    await refused(
      'malformed-frame',
      [...short.slice(10), joinPacket([Buffer.concat([frame, Buffer.of(0)])])].map((payload) => ({
        channel: 'commit',
        payload,
      })),
    );
    const tooLong = Buffer.alloc(9 * 1024 * 1024);
    await refused(
      'oversized-frame',
      channels.map((channel) => ({ channel, payload: tooLong })),
    );
  });

  it('with any bit flipped', async () => {
    const before = await api.agreement();
    for (const phase of phases) {
      const frame = frameOf(phase);
      for (let bit = 0; bit < Math.min(frame.length, 200) * 8; bit++) {
        const flipped = Buffer.from(frame);
        flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        await publish(phase, joinPacket([flipped]));
      }
    }
    await refused('unknown-signer', [{ channel: 'commit', payload: forged('commit', 9) }]); // behind all of them
    const after = await api.status();
    expect(after.view).toBe(before.view);
    await api.agreement();
  });

  it('made of 10,000 random packets', async () => {
    const random = new Random(20_261_122); // one fixed seed: what fails here fails again
    const frames = Array.from({ length: 10_000 }, () => {
      const payload = Buffer.from(Array.from({ length: random.below(64) }, () => random.below(256)));
      const channel = channels[random.below(channels.length)] ?? 'commit';
      return { channel, payload: random.below(2) === 0 ? payload : joinPacket([payload]) };
    });
    const before = await api.agreement();
    const total = (status: ClusterStatus): number[] =>
      status.replicas.map(({ refused: reasons }) => Object.values(reasons).reduce((a, b) => a + b, 0));
    for (const { channel, payload } of frames) await publish(channel, payload);
    const after = await api.statusWhere((status) =>
      total(status).every((count, index) => count - (total(before)[index] ?? 0) >= frames.length),
    );
    expect(after.replicas.map(({ stateDigest }) => stateDigest)).toEqual(
      before.replicas.map(({ stateDigest }) => stateDigest),
    );
    await api.agreed(increment);
  });
});
