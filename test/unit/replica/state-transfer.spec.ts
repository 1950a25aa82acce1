import { describe, expect, it } from '@jest/globals';
import { StateFetcher } from '../../../src/replica/state-fetcher.js';
import type { StateSnapshot } from '../../../src/replica/checkpointed-state.js';
import { bucketOf } from '../../../src/state-machine/hash-tree.js';
import { encodeStateAnswer } from '../../../src/wire/state-transfer.js';
import { entries, Holding, Transferring, type Behaviour } from '../../support/state-transfer.js';

const self = 9;

/** What peers 0 … 2 have, and a checkpoint of it. */
function holders(content: ReturnType<typeof entries>, place = 128): [Holding, StateSnapshot] {
  const theirs = new Holding(content);
  return [theirs, theirs.freeze(place)];
}

function wanted(snapshot: StateSnapshot) {
  return { sequence: snapshot.head.sequence, digest: snapshot.digest, holders: [0, 1, 2, self] };
}

/** A replica that wants the peers' checkpoint. */
function fetching(own: Holding, theirs: Holding, snapshot: StateSnapshot, behaviour?: Behaviour): Transferring {
  const fetcher = new StateFetcher(own.state, self);
  fetcher.want(wanted(snapshot));
  return new Transferring(fetcher, theirs.servers([0, 1, 2]), behaviour);
}

function install(own: Holding, transferring: Transferring): void {
  const { transfer } = transferring.fetcher;
  expect(transfer).toBeDefined();
  own.state.install(transfer!);
  transferring.fetcher.stop();
}

const asked = (transferring: Transferring, ask: string) =>
  transferring.requests.filter(({ question }) => question.ask === ask);

describe('state transfer', () => {
  // Some seconds of work, on a busy machine many.
  it('brings a replica with an empty disk the whole state, of 100,000 keys', () => {
    const [theirs, snapshot] = holders(entries(100_000, 100));
    const own = new Holding();
    const transferring = fetching(own, theirs, snapshot);
    expect(transferring.run()).toBe(true);
    expect(own.digests).not.toEqual(theirs.digests);
    install(own, transferring);
    expect(own.digests).toEqual(theirs.digests);
    expect(own.first.get('key 77777')).toBe(theirs.first.get('key 77777'));
    expect(own.state.snapshotAt(128)?.digest).toBe(snapshot.digest);
    expect(transferring.outstandingMax).toBeLessThanOrEqual(4);
    // 100,000 × (100 + 20) bytes and as many hashes, in both parts, with little around it.
    expect(transferring.bytes).toBeLessThan(100_000 * (2 * 64 + 150) + 3 * 1024 * 1024);
    // All of them bear a part of it.
    for (const peer of [0, 1, 2])
      expect(transferring.requests.filter(({ target }) => target === peer).length).toBeGreaterThan(9);
    expect([own.first.map.snapshotCount, theirs.first.map.snapshotCount]).toEqual([1, 1]);
  }, 120_000);

  it('costs only what differs', () => {
    const content = entries(20_000);
    const [theirs] = holders(content);
    const changes: [string, string | undefined][] = [
      ['key 7', 'changed'],
      ['key 8', undefined],
      ['new', 'new'],
    ];
    theirs.write(changes);
    const snapshot = theirs.freeze(256);
    const own = new Holding(content);
    const transferring = fetching(own, theirs, snapshot);
    expect(transferring.run()).toBe(true);
    const buckets = asked(transferring, 'buckets').flatMap(({ question }) => ('from' in question ? question.from : []));
    // The key that went was alone in its bucket, and in the second part only the key that came differs.
    const [changed, , came] = changes.map(([key]) => bucketOf(key));
    expect(new Set(buckets.map(({ bucket }) => bucket))).toEqual(new Set([changed, came]));
    expect(buckets).toHaveLength(3);
    expect(transferring.bytes).toBeLessThan(100_000);
    install(own, transferring);
    expect(own.digests).toEqual(theirs.digests);
  });

  it('asks for nothing but the head where nothing differs', () => {
    const [theirs, snapshot] = holders(entries(10));
    const own = new Holding(entries(10));
    const transferring = fetching(own, theirs, snapshot);
    expect(transferring.run()).toBe(true);
    expect(transferring.requests).toHaveLength(1);
    install(own, transferring);
    expect(own.state.snapshotAt(128, snapshot.digest)?.head.time).toBe(1280);
  });

  it('empties a state that has too much', () => {
    const [theirs, snapshot] = holders([]);
    const own = new Holding(entries(100));
    const transferring = fetching(own, theirs, snapshot);
    expect(transferring.run()).toBe(true);
    expect(asked(transferring, 'buckets')).toEqual([]);
    install(own, transferring);
    expect([own.first.bytes, own.first.map.size]).toEqual([0, 0]);
  });

  it('replaces whatever became of the own state meanwhile', () => {
    const [theirs, snapshot] = holders(entries(300));
    const own = new Holding(entries(200));
    const kept = own.freeze(64);
    const transferring = fetching(own, theirs, snapshot);
    transferring.fetcher.takeRequests();
    own.write([
      ['key 1', 'changed meanwhile'],
      ['key 2', undefined],
      ['of our own', 1],
    ]);
    for (let tick = 0; tick < 25; tick++) transferring.tick(); // what was asked first is lost
    expect(transferring.run()).toBe(true);
    expect(own.first.get('of our own')).toBe(1);
    const held = kept.retain().parts[0];
    install(own, transferring);
    expect(own.digests).toEqual(theirs.digests);
    expect(own.state.snapshotAt(64)).toBeUndefined();
    expect([...(held?.items() ?? [])]).toHaveLength(200);
  });

  it('takes no chunk in which one byte was altered, and asks somebody else', () => {
    const content = entries(3, 5);
    const [theirs, snapshot] = holders(content);
    const seen = new Map<string, number>();
    const measure: Behaviour = (answer, { question }) => {
      seen.set(question.ask, Math.max(seen.get(question.ask) ?? 0, answer?.length ?? 0));
      return answer;
    };
    // An own state in which all but one part of the tree is equal, so that chunks are small.
    const start = () => new Holding(content.slice(1));
    expect(fetching(start(), theirs, snapshot, measure).run()).toBe(true);
    expect([...seen.keys()]).toEqual(['head', 'nodes', 'buckets']);
    for (const [ask, length] of seen) {
      const step = ask === 'nodes' ? 131 : 1; // of nodes every hash is hit now and then, at another of its bytes
      for (let place = 0; place < length; place += step) expectRefused(start(), ask, place);
    }

    function expectRefused(own: Holding, ask: string, place: number): void {
      let liar: number | undefined;
      const transferring = fetching(own, theirs, snapshot, (answer, { question }, peer) => {
        if (answer === undefined || question.ask !== ask || place >= answer.length || (liar ?? peer) !== peer)
          return answer;
        liar = peer;
        const altered = Buffer.from(answer);
        altered[place] = (altered[place] ?? 0) ^ 1;
        return altered;
      });
      expect(transferring.run()).toBe(true);
      const askedOfLiar = transferring.requests.filter(({ target }) => target === liar);
      expect(new Set(transferring.refusals.map(([peer]) => peer))).toEqual(new Set([liar]));
      expect(askedOfLiar.at(-1)?.question.ask).toBe(ask);
      install(own, transferring);
      expect(own.digests).toEqual(theirs.digests);
    }
  }, 60_000);

  it.each<[string, Behaviour]>([
    [
      'answers something else',
      (answer, { question }) =>
        question.ask === 'head' ? answer : encodeStateAnswer({ ask: 'head', time: 1, roots: [] }),
    ],
    [
      'answers with no page',
      (answer, { question }) =>
        question.ask === 'buckets' ? encodeStateAnswer({ ask: 'buckets', pages: [] }) : answer,
    ],
    [
      'answers with no item',
      (answer, { question }) =>
        question.ask === 'buckets'
          ? encodeStateAnswer({ ask: 'buckets', pages: [{ hashes: Buffer.alloc(0), items: [] }] })
          : answer,
    ],
    [
      'answers with half of the nodes',
      (answer, { question }) => (question.ask === 'nodes' ? encodeStateAnswer({ ask: 'nodes', below: [] }) : answer),
    ],
    ['answers with nothing', () => Buffer.alloc(0)],
    ['never answers', () => undefined],
    ['says that it has no such checkpoint', () => encodeStateAnswer({ ask: 'gone' })],
  ])('does without a peer that %s', (_, behaviour) => {
    const [theirs, snapshot] = holders(entries(2000));
    const own = new Holding();
    const transferring = fetching(own, theirs, snapshot, (answer, request, peer) =>
      peer === 2 ? answer : behaviour(answer, request, peer),
    );
    expect(transferring.run()).toBe(true);
    const reasons = new Set(transferring.refusals.map(([peer]) => peer));
    expect([...reasons].every((peer) => peer !== 2)).toBe(true);
    install(own, transferring);
    expect(own.digests).toEqual(theirs.digests);
  });

  it('asks a peer again that was silent, once it speaks', () => {
    const [theirs, snapshot] = holders(entries(500));
    let isSilent = true;
    const transferring = fetching(new Holding(), theirs, snapshot, (answer) => (isSilent ? undefined : answer));
    expect(transferring.run(300)).toBe(false);
    const asks = transferring.requests.length;
    expect(asks).toBeGreaterThan(3);
    expect(asks).toBeLessThan(30); // it does not pour questions over them
    isSilent = false;
    expect(transferring.run(100)).toBe(true);
  });

  it('takes no answer that it does not wait for', () => {
    const [theirs, snapshot] = holders(entries(10));
    const { fetcher } = fetching(new Holding(), theirs, snapshot);
    const [request] = fetcher.takeRequests();
    const answer = theirs.servers([request!.target]).get(request!.target)?.answer(self, request!);
    expect(fetcher.expects(request!.target, request!.nonce)).toBe(true);
    expect(fetcher.expects((request!.target + 1) % 3, request!.nonce)).toBe(false);
    expect(fetcher.onChunk((request!.target + 1) % 3, request!.nonce, answer!)).toBe('duplicate');
    expect(fetcher.onChunk(request!.target, request!.nonce + 1, answer!)).toBe('duplicate');
    expect(fetcher.onChunk(request!.target, request!.nonce, answer!)).toBeUndefined();
    expect(fetcher.onChunk(request!.target, request!.nonce, answer!)).toBe('duplicate');
    fetcher.stop();
    expect(fetcher.takeRequests()).toEqual([]);
  });

  it('chases a checkpoint that moves, and keeps what is equal in the next one', () => {
    const content = entries(8000);
    const [theirs, first] = holders(content);
    let answers = 0;
    let snapshot = first;
    const transferring = fetching(new Holding(), theirs, first, (answer, { digest }) => {
      answers++;
      return digest === snapshot.digest ? answer : encodeStateAnswer({ ask: 'gone' });
    });
    for (let round = 1; round <= 5; round++) {
      const enough = answers + 8;
      for (let tick = 0; tick < 50 && answers < enough; tick++) transferring.answerSome(4);
      theirs.write([[`key ${String(round)}`, `round ${String(round)}`]]);
      snapshot = theirs.freeze(128 + 128 * round);
      theirs.state.dropBelow(snapshot.head.sequence);
      transferring.fetcher.want(wanted(snapshot));
    }
    expect(transferring.run()).toBe(true);
    expect(transferring.fetcher.sequence).toBe(128 * 6);
    const whole = fetching(new Holding(), theirs, snapshot);
    expect(whole.run()).toBe(true);
    const buckets = asked(transferring, 'buckets').length;
    expect(buckets).toBeLessThan(asked(whole, 'buckets').length + 40);
    const own = new Holding();
    const last = fetching(own, theirs, snapshot);
    last.run();
    install(own, last);
    expect(own.digests).toEqual(theirs.digests);
  });
});
