import { describe, expect, it } from '@jest/globals';
import { StateFetcher } from '../../../src/replica/state-fetcher.js';
import { StateServer } from '../../../src/replica/state-server.js';
import { bucketOf } from '../../../src/state-machine/hash-tree.js';
import { decodeStateAnswer, type StateQuestion } from '../../../src/wire/state-transfer.js';
import type { StateSnapshot } from '../../../src/replica/checkpointed-state.js';
import { entries, Holding, Transferring } from '../../support/state-transfer.js';

const head: StateQuestion = { ask: 'head' };

/** What is asked about a checkpoint. */
function about({ head: { sequence }, digest }: StateSnapshot, question = head) {
  return { nonce: 1, sequence, digest, question };
}

function kindOf(answer: Buffer | undefined): string | undefined {
  return answer && decodeStateAnswer(answer).ask;
}

/** Keys of one bucket: found by trying, the same ones each time. */
function keysOfOneBucket(count: number): string[] {
  const keys: string[] = [];
  for (let index = 0; keys.length < count; index++) {
    const key = `key ${String(index)}`;
    if (bucketOf(key) === bucketOf('key 0')) keys.push(key);
  }
  return keys;
}

describe('who serves a state', () => {
  it('has the checkpoints that it keeps, under their digests', () => {
    const theirs = new Holding(entries(10));
    const server = new StateServer(theirs.state);
    const snapshot = theirs.freeze(128);
    expect(kindOf(server.answer(1, about(snapshot)))).toBe('head');
    const other = theirs.write([['a', 1]]).freeze(256);
    expect(kindOf(server.answer(1, { ...about(snapshot), digest: other.digest }))).toBe('gone');
  });

  it('keeps one that it would have dropped for those who fetch it, for as long as they do', () => {
    const theirs = new Holding(entries(10));
    const server = new StateServer(theirs.state);
    const snapshot = theirs.freeze(128);
    server.answer(1, about(snapshot));
    theirs.write([['key 1', 'changed']]).freeze(256);
    theirs.state.dropBelow(256);
    for (let tick = 0; tick < 300; tick++) {
      server.onTick();
      if (tick % 50 === 0) expect(kindOf(server.answer(1, about(snapshot)))).toBe('head');
    }
    expect(theirs.first.map.snapshotCount).toBe(2);
    for (let tick = 0; tick < 100; tick++) server.onTick();
    expect(kindOf(server.answer(1, about(snapshot)))).toBe('gone');
    expect(theirs.first.map.snapshotCount).toBe(1);
  });

  it('keeps few, and none for ever', () => {
    const theirs = new Holding(entries(10));
    const server = new StateServer(theirs.state);
    for (let place = 128; place <= 1280; place += 128) {
      server.onTick();
      server.answer(place / 128, about(theirs.write([['round', place]]).freeze(place)));
      theirs.state.dropBelow(place);
    }
    expect(theirs.first.map.snapshotCount).toBe(5);
    const [asked] = [theirs.state.snapshotAt(1280)!];
    for (let tick = 0; tick < 5000; tick++) {
      server.onTick();
      server.answer(1, about(asked));
    }
    theirs.state.dropBelow(Number.MAX_SAFE_INTEGER);
    for (let tick = 0; tick < 3000; tick++) {
      server.onTick();
      server.answer(1, about(asked));
    }
    expect(theirs.first.map.snapshotCount).toBe(0);
    server.answer(1, about(theirs.freeze(1408)));
    theirs.state.dropBelow(Number.MAX_SAFE_INTEGER);
    expect(theirs.first.map.snapshotCount).toBe(1);
    server.close();
    expect(theirs.first.map.snapshotCount).toBe(0);
  });

  it('keeps one for each who asks, so that nobody holds what the others need', () => {
    const theirs = new Holding(entries(10));
    const server = new StateServer(theirs.state);
    for (let place = 128; place <= 1280; place += 128) {
      server.onTick();
      server.answer(1, about(theirs.write([['round', place]]).freeze(place)));
      theirs.state.dropBelow(place);
    }
    expect(theirs.first.map.snapshotCount).toBe(1);
  });

  it.each<[string, StateQuestion]>([
    ['a part', { ask: 'nodes', part: 2, nodes: [1] }],
    ['a node of no step', { ask: 'nodes', part: 0, nodes: [1, 2] }],
    ['a node below the tree', { ask: 'nodes', part: 0, nodes: [256] }],
    ['a node above the tree', { ask: 'nodes', part: 0, nodes: [0] }],
    ['a bucket', { ask: 'buckets', part: 0, from: [{ bucket: 2 ** 14, offset: 0 }] }],
  ])('does not have %s that no state has', (_, question) => {
    const theirs = new Holding(entries(10));
    expect(kindOf(new StateServer(theirs.state).answer(1, about(theirs.freeze(128), question)))).toBe('gone');
  });

  it('hands a bucket that is larger than any answer out in pages', () => {
    const keys = keysOfOneBucket(24);
    const theirs = new Holding(keys.map((key) => [key, key.padEnd(64_000, 'x')]));
    const snapshot = theirs.freeze(128);
    const own = new Holding();
    const fetcher = new StateFetcher(own.state, 9);
    fetcher.want({ sequence: 128, digest: snapshot.digest, holders: [0, 1] });
    const transferring = new Transferring(fetcher, theirs.servers([0, 1]));
    expect(transferring.run()).toBe(true);
    const offsets = transferring.requests.flatMap(({ question }) =>
      question.ask === 'buckets' && question.part === 0 ? question.from.map(({ offset }) => offset) : [],
    );
    expect(offsets).toEqual([0, 8, 16]);
    own.state.install(fetcher.transfer!);
    expect(own.digests).toEqual(theirs.digests);
  });
});
