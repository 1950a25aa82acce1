import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { QueryRound } from '../../../src/client/query-round.js';
import { faultsTolerated, quorumSize } from '../../../src/pbft/quorum.js';
import { testMembership } from '../crypto/support.js';

const written = 10; // the sequence number of a write that a client was told of
const [before, after] = [Buffer.from('"before"'), Buffer.from('"after"')];

/** What a replica is like while the question is asked. */
interface State {
  readonly isLiar: boolean;
  readonly hasPrepared: boolean;
  readonly lastExecuted: number;
  readonly aheadBy: number;
  readonly lie: { readonly saysAfter: boolean; readonly lastExecuted: number; readonly lastPrepared: number };
}

const sizes = [4, 5, 6, 7, 10];
const memberships = new Map(sizes.map((n) => [n, testMembership(n)]));

function ask(n: number): QueryRound {
  return new QueryRound(1, 'linearizable', 0, memberships.get(n)!);
}

const place = fc.integer({ min: 0, max: 2 * written });
const state = fc.record({
  isLiar: fc.boolean(),
  hasPrepared: fc.boolean(),
  lastExecuted: place,
  aheadBy: fc.integer({ min: 0, max: 3 }),
  lie: fc.record({ saysAfter: fc.boolean(), lastExecuted: place, lastPrepared: place }),
});

/** Any cluster in which a client was told of the write: q replicas have said that it prepared, of which f may lie. */
const cluster = fc.constantFrom(...sizes).chain((n) => {
  return fc.tuple(
    fc.constant(n),
    fc.array(state, { minLength: n, maxLength: n }),
    fc.shuffledSubarray(range(n), { minLength: n }),
  );
});

function range(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index);
}

/** Makes the drawn states one that can be: at most f lie, and q have committed to the write. */
function possible(n: number, drawn: readonly State[]): State[] {
  const [f, q] = [faultsTolerated(n), quorumSize(n)];
  let liars = 0;
  let prepared = 0;
  const states = drawn.map((each) => ({ ...each, isLiar: each.isLiar && ++liars <= f }));
  for (const each of states) if (each.isLiar || each.hasPrepared) prepared++;
  return states.map((each) => {
    const hasPrepared = each.hasPrepared || (!each.isLiar && prepared++ < q);
    return { ...each, hasPrepared };
  });
}

describe('a linearizable read', () => {
  it('never tells what was before a write that somebody knows of, whoever is behind and whoever lies', async () => {
    await fc.assert(
      fc.asyncProperty(cluster, async ([n, drawn, order]) => {
        const round = ask(n);
        const states = possible(n, drawn);
        for (const replica of order) {
          const { isLiar, hasPrepared, lastExecuted, aheadBy, lie } = states[replica]!;
          const isBehind = lastExecuted < written;
          const honest = {
            lastExecuted,
            lastPrepared: Math.max(lastExecuted, hasPrepared ? written : 0) + aheadBy,
            value: isBehind ? before : after,
          };
          const { saysAfter, ...numbers } = lie;
          round.add(replica, { nonce: 1, ...(isLiar ? { ...numbers, value: saysAfter ? after : before } : honest) });
        }
        round.giveUp();
        expect((await round.promise)?.value).not.toBe('before');
      }),
      { numRuns: 2_000 },
    );
  });

  it('is answered by a cluster at rest, without anybody who lies or is behind', async () => {
    for (const n of sizes) {
      const round = ask(n);
      const f = faultsTolerated(n);
      const current = { nonce: 1, lastExecuted: written, lastPrepared: written, value: after };
      const lie = { nonce: 1, lastExecuted: 0, lastPrepared: 99, value: before };
      for (const replica of range(n)) round.add(replica, replica < f ? lie : current);
      expect(await round.promise).toMatchObject({ value: 'after', sequence: written });
    }
  });
});
