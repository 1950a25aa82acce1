import { beforeAll, describe, expect, it } from '@jest/globals';
import { EventQueue } from '../../../src/memory/event-queue.js';
import { MemoryBroker } from '../../../src/memory/memory-broker.js';
import { MemoryOutbox } from '../../../src/memory/memory-outbox.js';
import { sequence, type Digest } from '../../../src/pbft/types.js';
import type { Turn } from '../../../src/ports/outbox.js';
import type { Host } from '../../../src/replica/host.js';
import { storedBytesMax } from '../../../src/replica/state-fields.js';
import { StateSync, type StateSyncOptions } from '../../../src/replica/state-sync.js';
import { TurnBuilder } from '../../../src/replica/turn-builder.js';
import { settled } from '../../support/cluster-waiting.js';
import { entries, Holding } from '../../support/state-transfer.js';
import { proofOf, recordField, stateKey, Storing } from '../../support/storing.js';

const size = 600;

/** A Redis that has a moment's data again, while a turn is under way to it. */
interface Loss {
  /** That turn, counted from 1. */
  readonly during: number;
  /** How many turns before it are lost. */
  readonly turns: number;
}

/** Stores one checkpoint after the other in a Redis that loses once what it has acknowledged last. */
class Keeping {
  readonly holding = new Holding(entries(size, 100));
  readonly broker = new MemoryBroker(new EventQueue('microtask'));
  /** What Redis held after each turn. */
  readonly states = [this.broker.store.snapshot()];
  readonly turns: Turn[] = [];
  /** How often it was noticed. */
  losses = 0;
  private isBusy = false;
  private readonly outbox = new MemoryOutbox(this.broker, 'a');
  private readonly sync: StateSync;

  constructor(private readonly loss?: Loss) {
    const storing = new Storing(this.holding, this.broker);
    const isKeepingHouse = (): boolean => this.isBusy;
    const host = {
      replica: { stable: { sequence: 0, proof: [] }, lastExecuted: 0, openPlaces: [] },
      get isKeepingHouse() {
        return isKeepingHouse();
      },
      keepHouse: this.keepHouse.bind(this),
      logAgain: () => undefined,
    } as unknown as Host;
    const options = {
      host,
      outbox: this.outbox,
      log: storing.log,
      logger: { warn: () => this.losses++ },
      service: { checkpoints: this.holding.state },
      incarnation: 'this process',
      retention: 0,
      book: {
        frameOf: (one: { sequence: number; digest: Digest; replica: number }) =>
          proofOf(one.sequence, one.digest, [one.replica])[0],
      },
    };
    this.sync = new StateSync(options as unknown as StateSyncOptions);
    this.sync.begin(undefined, {});
  }

  /** Some keys are written, and it all becomes a stable checkpoint and is stored. */
  async store(place: number, written: readonly (readonly [string, string | undefined])[] = []): Promise<Digest> {
    this.holding.write(written);
    const { digest } = this.holding.freeze(place);
    const proof = [0, 1, 2].map((replica) => ({ kind: 'checkpoint', replica, sequence: sequence(place), digest }));
    this.sync.onStable({ sequence: sequence(place), proof: proof as never });
    for (let quiet = 0; quiet < 4; quiet++) {
      const before = this.states.length;
      this.sync.tick();
      do await settled();
      while (this.isBusy);
      if (this.states.length > before) quiet = 0;
    }
    return digest;
  }

  /** What a process finds that starts now, and how many fields are there besides. */
  async restarted(): Promise<{ readonly digest: Digest | undefined; readonly leftOver: number }> {
    const { found } = await new Storing(new Holding(), this.broker).restarted();
    const items = this.holding.first.map.size + this.holding.second.map.size;
    return { digest: found?.snapshot.digest, leftOver: this.broker.store.read(stateKey).size - items };
  }

  private keepHouse(write: (turn: TurnBuilder) => void, onKept?: () => void): void {
    if (this.isBusy) return;
    const turn = new TurnBuilder();
    write(turn);
    if (turn.isEmpty) return;
    this.isBusy = true;
    const taken = turn.take();
    this.turns.push(taken);
    const sent = this.outbox.send(taken);
    if (this.states.length === this.loss?.during) {
      this.broker.cut('a');
      this.broker.store.rollBack(this.states.at(-1 - this.loss.turns)!);
      this.broker.heal('a');
    }
    void sent.then(() => {
      this.states.push(this.broker.store.snapshot());
      this.isBusy = false;
      onKept?.();
    });
  }
}

const keys = entries(size).map(([key]) => key);

/** One checkpoint from nothing, one with many keys gone and changed, one in which keys that were changed are gone, and one more. */
async function story(keeping: Keeping): Promise<Digest> {
  await keeping.store(128);
  await keeping.store(
    256,
    keys.map((key, index) => [key, index % 2 === 0 ? undefined : 'changed'.padEnd(100)]),
  );
  await keeping.store(
    384,
    keys.slice(0, 20).map((key) => [key, undefined]),
  );
  return keeping.store(512, [['another', 'key']]);
}

async function expectWhole(loss: Loss): Promise<void> {
  const keeping = new Keeping(loss);
  const digest = await story(keeping);
  expect({ ...loss, ...(await keeping.restarted()) }).toEqual({ ...loss, digest, leftOver: 0 });
  if (loss.turns === 0) expect({ ...loss, losses: keeping.losses }).toEqual({ ...loss, losses: 0 });
}

const hasCommit = ({ writes }: Turn): boolean =>
  writes.some(({ fields }) => (fields.get(recordField)?.length ?? 0) > 0);
const hasRemovals = ({ removals }: Turn): boolean => removals.some(({ place }) => place === 'state');

describe('a checkpoint that is stored in a Redis which loses what it has acknowledged last', () => {
  /** Every turn of the story, where nothing is lost. */
  let turns: readonly Turn[] = [];

  beforeAll(async () => {
    const calm = new Keeping();
    const digest = await story(calm);
    expect([calm.losses, await calm.restarted()]).toEqual([0, { digest, leftOver: 0 }]);
    turns = calm.turns;
  });

  it.each<[string, number, (turn: Turn, index: number) => boolean]>([
    ['while it is written, with the commit under way', 3, hasCommit],
    ['while it is swept', 1, (turn, index) => hasRemovals(turn) && hasRemovals(turns[index - 1]!)],
    ['once it is swept', 1, (turn, index) => !hasRemovals(turn) && hasRemovals(turns[index - 1]!)],
  ])('is whole in the end: %s', async (_, lost, isIt) => {
    const index = turns.findIndex((turn, at) => at > lost && isIt(turn, at));
    expect(index).toBeGreaterThan(0);
    await expectWhole({ during: index + 1, turns: lost });
  });

  it('is still there while it is written anew', async () => {
    const during = turns.findIndex(hasCommit) + 4; // the third piece of the second one
    const keeping = new Keeping({ during, turns: 1 });
    await story(keeping);
    expect(keeping.losses).toBe(1);
    for (const state of keeping.states.slice(during)) {
      keeping.broker.store.rollBack(state);
      expect((await keeping.restarted()).digest).toBeDefined();
    }
  });

  it('is whole in the end, whenever that happens, and is not written again when nothing is lost', async () => {
    expect(turns.length).toBeGreaterThan(15);
    for (let during = 2; during <= turns.length; during++) {
      for (const lost of new Set([0, 1, 2, during - 1])) {
        if (lost < during) await expectWhole({ during, turns: lost });
      }
    }
  });

  const changed = keys.map((key) => [key, 'changed'.padEnd(100)] as const);

  /** A process has died while it wrote the second checkpoint: a piece of it lies about. */
  async function afterDeath(): Promise<Storing> {
    const one = new Storing(new Holding(entries(size, 100)));
    one.stabilise(128);
    await one.settle();
    one.holding.write(changed);
    one.stabilise(256);
    await one.tick();
    return (await one.restarted()).storing;
  }

  it('does not remove again what was written since', async () => {
    const two = await afterDeath();
    two.holding.write(changed);
    two.stabilise(256);
    const isThere = (): boolean => [...two.fields.keys()].some((field) => field.startsWith('0:256:'));
    while (isThere()) await two.tick(); // what lay about
    while (!isThere()) await two.tick();
    two.store.onInterrupted();
    expect(two.store.onReadBack(await two.log.readReplica())).toBe(false);
    await two.settle();
    expect((await two.restarted()).found?.snapshot.head.sequence).toBe(256);
  });

  it('does not bring back to life what an earlier process has left above it', async () => {
    const two = await afterDeath();
    const before = two.broker.store.snapshot();
    await two.tick();
    two.broker.store.rollBack(before);
    two.store.onInterrupted();
    expect(two.store.onReadBack(await two.log.readReplica())).toBe(true);
    for (let piece = 0; piece < 4; piece++) await two.tick(); // it is being written anew
    two.holding.write(keys.slice(0, 100).map((key) => [key, undefined] as const));
    const digest = two.stabilise(384);
    await two.settle();
    const { found } = await two.restarted();
    expect(found?.snapshot.digest).toBe(digest);
    expect(two.fields.size).toBe(two.holding.first.map.size + two.holding.second.map.size);
  });

  it('does not take an earlier process’s pieces for its own', async () => {
    const one = new Storing(new Holding(entries(150, 100)));
    one.stabilise(128);
    await one.settle(); // two pieces with numbers
    const { storing: two } = await one.restarted();
    two.holding.write(changed);
    two.stabilise(256);
    await two.tick();
    const before = two.broker.store.snapshot();
    await two.tick();
    two.broker.store.rollBack(before);
    two.store.onInterrupted();
    expect(two.store.onReadBack(await two.log.readReplica())).toBe(true);
  });

  it('lists on while there is more than it reads at once', async () => {
    const two = await afterDeath();
    two.store.onReadBack({});
    const large = { length: storedBytesMax + 1 } as Buffer;
    async function* fields(): AsyncGenerator<readonly [string, Buffer]> {
      await settled();
      yield ['0:256:a', large];
      yield ['0:256:b', large];
    }
    await two.store.list(fields());
    await two.tick();
    expect(two.store.wantsList).toBe(true);
  });
});
