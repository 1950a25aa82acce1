import { describe, expect, it } from '@jest/globals';
import { Ed25519Signer, Ed25519Verifier } from '../../../src/crypto/signatures.js';
import { EventQueue } from '../../../src/memory/event-queue.js';
import { MemoryBroker } from '../../../src/memory/memory-broker.js';
import { MemoryMessageLog } from '../../../src/memory/memory-message-log.js';
import { MemoryOutbox } from '../../../src/memory/memory-outbox.js';
import { digest, sequence, type Digest } from '../../../src/pbft/types.js';
import { loadCheckpoint } from '../../../src/replica/checkpoint-loader.js';
import { CheckpointStore, type StoredState } from '../../../src/replica/checkpoint-store.js';
import { fieldOf, parseField } from '../../../src/replica/state-fields.js';
import { TurnBuilder } from '../../../src/replica/turn-builder.js';
import { Opener, Sealer } from '../../../src/wire/envelope.js';
import { encodeCheckpoint } from '../../../src/wire/views.js';
import { entries, Holding } from '../../support/state-transfer.js';
import { testCluster, testMembership } from '../crypto/support.js';

const membership = testMembership(4);
const { identities } = testCluster(4);
const context = { genesisDigest: membership.digest, epoch: 0, n: 4 };
const opener = new Opener(context, new Ed25519Verifier(membership));
const sealers = identities.map((identity, index) => new Sealer(context, new Ed25519Signer(identity), index));

const stateKey = 'state:a';
const ownKey = 'replica:a';
const recordField = 'stored-checkpoint';

/** The CHECKPOINT frames of these replicas. */
function proofOf(place: number, of: Digest, signers: readonly number[] = [0, 1, 2]): Buffer[] {
  return signers.map((signer) =>
    sealers[signer]!.seal('checkpoint', encodeCheckpoint({ sequence: sequence(place), digest: of })),
  );
}

/** Each store is of a process of its own. */
let processes = 0;

/** A replica whose store writes to a Redis in memory, one turn for each tick. */
class Storing {
  readonly broker: MemoryBroker;
  readonly log: MemoryMessageLog;
  store: CheckpointStore;
  private readonly outbox: MemoryOutbox;
  private readonly turn = new TurnBuilder();

  constructor(
    readonly holding = new Holding(),
    broker = new MemoryBroker(new EventQueue('microtask')),
    found?: StoredState,
  ) {
    this.broker = broker;
    this.log = new MemoryMessageLog(broker, 'a');
    this.outbox = new MemoryOutbox(broker, 'a');
    this.store = new CheckpointStore(holding.state, `process ${processes++}`, found);
  }

  /** The state as it is now becomes a stable checkpoint. */
  stabilise(place: number): Digest {
    const { digest: of } = this.holding.freeze(place);
    this.store.onStable(place, of, proofOf(place, of));
    this.holding.state.dropBelow(place);
    return of;
  }

  /** @returns whether there was anything to do */
  async tick(): Promise<boolean> {
    const isIdle = this.store.isIdle;
    this.store.tick(this.turn);
    if (!this.turn.isEmpty) await this.outbox.send(this.turn.take());
    return !isIdle;
  }

  async settle(afterTurn: () => Promise<void> = async () => undefined): Promise<void> {
    while (await this.tick()) await afterTurn();
  }

  /** What a process finds that starts now. */
  async restarted(): Promise<{ readonly storing: Storing; readonly found: StoredState | undefined }> {
    const holding = new Holding();
    const found = await loadCheckpoint({ log: this.log, state: holding.state, opener, n: 4 });
    return { storing: new Storing(holding, this.broker, found), found };
  }

  get fields(): ReadonlyMap<string, Buffer> {
    return this.broker.store.read(stateKey);
  }
}

/** Changes between one checkpoint and the next: keys that come, change, go, and come back. */
function change(storing: Storing, round: number): void {
  storing.holding.write([
    [`key ${String(round)}`, `round ${String(round)}`],
    [`key ${String(round + 1)}`, undefined],
    [`key ${String(round - 1)}`, 'back'],
    [`round ${String(round)}`, round],
    [`round ${String(round - 1)}`, undefined],
  ]);
}

describe('the store of checkpoints', () => {
  it('is empty at first, and a state that was stored is found again', async () => {
    const storing = new Storing(new Holding(entries(300)));
    expect((await storing.restarted()).found).toBeUndefined();
    const of = storing.stabilise(128);
    expect([storing.store.sequence, storing.store.isIdle]).toEqual([0, false]);
    await storing.settle();
    expect(storing.store.sequence).toBe(128);
    const { storing: next, found } = await storing.restarted();
    expect(next.holding.digests).toEqual(storing.holding.digests);
    expect(next.holding.state.snapshotAt(128, of)?.head.time).toBe(1280);
    expect(found?.proof).toEqual(proofOf(128, of));
    expect([next.store.sequence, next.store.isIdle, found?.stale]).toEqual([128, true, []]);
  });

  it('after a crash at any turn holds the checkpoint before or the one after, and goes on from there', async () => {
    const storing = new Storing(new Holding(entries(20)));
    const digests = new Map([[128, storing.stabilise(128)]]);
    const states: ReturnType<typeof storing.broker.store.snapshot>[] = [];
    const found = new Set<number>();
    await storing.settle();
    for (let round = 2; round <= 4; round++) {
      change(storing, round);
      for (let large = 0; large < 16; large++) {
        storing.holding.write([[`large ${String(large)}`, String(round).padEnd(60_000)]]);
      }
      digests.set(128 * round, storing.stabilise(128 * round));
      await storing.settle(async () => void states.push(storing.broker.store.snapshot()));
    }
    expect(states.length).toBeGreaterThan(9);
    for (const state of states) {
      storing.broker.store.rollBack(state);
      const { storing: next } = await storing.restarted();
      const place = next.store.sequence;
      found.add(place);
      expect(next.holding.state.snapshotAt(place)?.digest).toBe(digests.get(place));
      // Whatever was left behind goes, and the next checkpoint is stored and found.
      change(next, 9);
      next.stabilise(1024);
      await next.settle();
      const { storing: last } = await next.restarted();
      expect([last.store.sequence, last.store.isIdle]).toEqual([1024, true]);
      expect(last.holding.digests).toEqual(next.holding.digests);
      expect(next.fields.size).toBe(next.holding.first.map.size + next.holding.second.map.size);
    }
    expect(found).toEqual(new Set([128, 256, 384, 512]));
  });

  it('survives a crash while it cleans up what a crash has left', async () => {
    const storing = new Storing(new Holding(entries(40)));
    storing.stabilise(128);
    await storing.settle();
    change(storing, 3);
    const of = storing.stabilise(256);
    while (storing.store.sequence < 256) await storing.tick();
    const { storing: second } = await storing.restarted(); // committed, nothing swept
    expect(second.store.isIdle).toBe(false);
    await second.tick();
    const { storing: third, found } = await second.restarted();
    expect(third.holding.state.snapshotAt(256)?.digest).toBe(of);
    expect(found?.stale).toEqual([]);
  });

  it('holds as many fields as there are items, over many checkpoints', async () => {
    const storing = new Storing(new Holding(entries(500)));
    for (let round = 1; round <= 40; round++) {
      change(storing, round);
      storing.stabilise(128 * round);
      await storing.settle();
      expect(storing.fields.size).toBe(storing.holding.first.map.size + storing.holding.second.map.size);
    }
    expect(storing.broker.store.keys).toEqual([ownKey, stateKey]);
    expect(storing.holding.first.map.snapshotCount).toBe(1); // it is the stable one, shared
    storing.store.close();
    storing.holding.state.dropBelow(Number.MAX_SAFE_INTEGER);
    expect(storing.holding.first.map.snapshotCount).toBe(0);
  });

  it('writes what has changed alone, in small pieces', async () => {
    const storing = new Storing(new Holding(entries(2000, 1000)));
    storing.stabilise(128);
    let ticks = 0;
    await storing.settle(async () => {
      ticks++;
    });
    expect(ticks).toBeGreaterThan((2000 * 1000) / (256 * 1024));
    const before = new Map(storing.fields);
    storing.holding.write([['key 7', 'changed']]);
    storing.stabilise(256);
    await storing.settle();
    const written = [...storing.fields].filter(([field]) => !before.has(field));
    expect(written.map(([field]) => field)).toEqual([fieldOf(0, 256, 'key 7')]);
  });

  it('finishes a checkpoint before it goes on to the newest, past those between', async () => {
    const storing = new Storing(new Holding(entries(1000, 1000)));
    storing.stabilise(128);
    await storing.tick();
    await storing.tick();
    for (let round = 2; round <= 9; round++) {
      change(storing, round);
      storing.stabilise(128 * round);
    }
    expect(storing.holding.first.map.snapshotCount).toBe(2);
    const stored = new Set<number>();
    await storing.settle(async () => void stored.add(storing.store.sequence));
    expect([...stored]).toEqual([0, 128, 128 * 9]);
    expect((await storing.restarted()).storing.holding.digests).toEqual(storing.holding.digests);
  });

  it('stores only what is kept here under the digest that is stable, and never goes back', async () => {
    const storing = new Storing(new Holding(entries(5)));
    const of = storing.holding.freeze(256).digest;
    await storing.settle();
    storing.store.onStable(256, digest('0'.repeat(64)), proofOf(256, of));
    storing.store.onStable(128, of, proofOf(128, of));
    expect(storing.store.isIdle).toBe(true);
    storing.store.onStable(256, of, proofOf(256, of));
    await storing.settle();
    storing.stabilise(128);
    expect([storing.store.isIdle, storing.store.sequence]).toEqual([true, 256]);
  });

  it('stores a state that was installed over another as well', async () => {
    const storing = new Storing(new Holding(entries(50)));
    storing.stabilise(128);
    await storing.settle();
    const other = new Holding(entries(70).slice(30)).freeze(512);
    const replaced = storing.holding.state.parts.map((_, part) => {
      const buckets = Array.from(
        { length: 2 ** 14 },
        (_unused, bucket) => [bucket, other.parts[part]?.itemsOf(bucket) ?? []] as const,
      );
      return new Map(buckets);
    });
    const base = storing.holding.state.present();
    storing.holding.state.install({ head: other.head, digest: other.digest, base, replaced });
    base.release();
    storing.store.onStable(512, other.digest, proofOf(512, other.digest));
    await storing.settle();
    const { storing: next } = await storing.restarted();
    expect(next.holding.state.snapshotAt(512)?.digest).toBe(other.digest);
    expect(storing.fields.size).toBe(80);
  });

  it('writes everything anew when it was deleted or set back under its hands', async () => {
    const storing = new Storing(new Holding(entries(100)));
    storing.stabilise(128);
    await storing.settle();
    expect(storing.store.onReadBack(await storing.log.readReplica())).toBe(false);
    const old = storing.broker.store.snapshot();
    change(storing, 3);
    storing.stabilise(256);
    await storing.settle();
    for (const state of [old, new Map<string, ReadonlyMap<string, Buffer>>()]) {
      storing.broker.store.rollBack(state);
      expect(storing.store.onReadBack(await storing.log.readReplica())).toBe(true);
      expect(storing.store.sequence).toBe(0);
      await storing.settle();
      expect(storing.store.sequence).toBe(256);
      const { storing: next } = await storing.restarted();
      expect(next.holding.digests).toEqual(storing.holding.digests);
    }
    expect(storing.holding.first.map.snapshotCount).toBe(1);
  });
});

describe('a stored checkpoint', () => {
  async function stored(): Promise<Storing> {
    const storing = new Storing(new Holding(entries(10)));
    storing.stabilise(128);
    await storing.settle();
    storing.holding.write([['key 3', 'changed']]);
    storing.stabilise(256);
    await storing.settle();
    return storing;
  }

  async function expectRefused(storing: Storing): Promise<void> {
    const { storing: next, found } = await storing.restarted();
    expect(found).toBeUndefined();
    expect([next.holding.first.map.size, next.holding.second.map.size]).toEqual([0, 0]);
    // It is cleared away, and the next one stored as if there had been nothing.
    next.holding.write(entries(4));
    next.stabilise(384);
    await next.settle();
    expect((await next.restarted()).storing.holding.digests).toEqual(next.holding.digests);
    expect(next.fields.size).toBe(8);
  }

  it('is not taken when any of its fields is altered, missing, or another one’s', async () => {
    const genuine = await stored();
    const before = genuine.broker.store.snapshot();
    for (const [field, value] of genuine.fields) {
      const altered = Buffer.from(value);
      altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
      for (const instead of [altered, Buffer.alloc(0), Buffer.from('junk'), undefined]) {
        genuine.broker.store.rollBack(before);
        if (instead === undefined) genuine.broker.store.deleteField(stateKey, field);
        else genuine.broker.store.write(stateKey, field, instead);
        expect((await genuine.restarted()).found).toBeUndefined();
      }
      genuine.broker.store.rollBack(before);
      genuine.broker.store.deleteField(stateKey, field);
      genuine.broker.store.write(stateKey, field.replace('key', 'kez'), value);
      expect((await genuine.restarted()).found).toBeUndefined();
    }
    await expectRefused(genuine);
  });

  it('is not taken with a key more', async () => {
    const storing = await stored();
    storing.broker.store.write(
      stateKey,
      fieldOf(0, 256, 'more'),
      storing.holding.first.encode(storing.holding.first.map.get('key 1')!),
    );
    await expectRefused(storing);
    const again = await stored();
    const [extra] = [...new Holding([['more', 1]]).first.map.items()];
    again.broker.store.write(stateKey, fieldOf(0, 128, 'more'), again.holding.first.encode(extra!));
    await expectRefused(again);
  });

  it('is cleaned of fields that are not its own', async () => {
    const storing = await stored();
    const strangers = [
      '',
      '0',
      '0:1',
      'x:1:a',
      '9:1:a',
      '01:1:a',
      '0:0256:key 1',
      '0:99999999999999999999:a',
      fieldOf(0, 257, 'key 1'),
    ];
    for (const field of strangers) storing.broker.store.write(stateKey, field, Buffer.from('junk'));
    const { storing: next, found } = await storing.restarted();
    expect(new Set(found?.stale)).toEqual(new Set(strangers));
    await next.settle();
    expect(next.fields.size).toBe(20);
    expect((await next.restarted()).found?.stale).toEqual([]);
  });

  it('is taken when it is an older one as a whole, but not one’s record with the other’s fields', async () => {
    const storing = new Storing(new Holding(entries(10)));
    storing.stabilise(128);
    await storing.settle();
    const old = storing.broker.store.snapshot();
    storing.holding.write([['key 3', 'changed']]);
    storing.stabilise(256);
    await storing.settle();
    const newRecord = storing.broker.store.get(ownKey, recordField)!;
    const oldRecord = old.get(ownKey)!.get(recordField)!;
    storing.broker.store.write(ownKey, recordField, oldRecord);
    expect((await storing.restarted()).found).toBeUndefined();
    storing.broker.store.rollBack(old);
    expect((await storing.restarted()).storing.store.sequence).toBe(128);
    storing.broker.store.write(ownKey, recordField, newRecord);
    await expectRefused(storing);
  });

  it.each<[string, (of: Digest) => Buffer[]]>([
    ['none', () => []],
    ['too few', (of) => proofOf(256, of, [0, 1])],
    ['one replica’s thrice', (of) => proofOf(256, of, [0, 0, 0])],
    ['another sequence number’s', (of) => proofOf(128, of)],
    ['another digest’s', () => proofOf(256, digest('a'.repeat(64)))],
    ['those that do not agree', (of) => [...proofOf(256, of, [0, 1]), ...proofOf(256, digest('a'.repeat(64)), [2])]],
    [
      'a forged one',
      (of) => [
        ...proofOf(256, of, [0, 1]),
        sealers[0]!.wrap(
          'checkpoint',
          encodeCheckpoint({ sequence: sequence(256), digest: of }),
          Buffer.alloc(64),
          Buffer.alloc(0),
          2,
        ),
      ],
    ],
    ['another kind', () => [sealers[0]!.seal('commit', Buffer.alloc(4))]],
    ['no frame', () => [Buffer.from('junk')]],
  ])('is not taken when its proof is %s', async (_, proof) => {
    const storing = new Storing(new Holding(entries(10)));
    const { digest: of } = storing.holding.freeze(256);
    storing.store.onStable(256, of, proof(of));
    await storing.settle();
    expect((await storing.restarted()).found).toBeUndefined();
  });

  it('is not taken when its record is cut off, or none', async () => {
    const storing = await stored();
    const record = storing.broker.store.get(ownKey, recordField)!;
    for (const length of [0, 1, 8, 16, 18, record.length - 1]) {
      storing.broker.store.write(ownKey, recordField, record.subarray(0, length));
      expect((await storing.restarted()).found).toBeUndefined();
    }
    await expectRefused(storing);
  });

  it('that cannot be read is not one that is not there', async () => {
    const storing = await stored();
    storing.broker.cut('a');
    await expect(storing.restarted()).rejects.toMatchObject({ code: 'bus-unavailable' });
  });

  it('has one name for each field', () => {
    expect(parseField(fieldOf(1, 128, 'g:a\n7'))).toEqual({ part: 1, generation: 128, key: 'g:a\n7' });
    expect(parseField(fieldOf(0, 0, ''))).toEqual({ part: 0, generation: 0, key: '' });
  });
});
