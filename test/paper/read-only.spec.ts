import { describe, expect, it } from '@jest/globals';
import type { QueryAnswer } from '../../src/client/cluster-client.js';
import { QueryRound } from '../../src/client/query-round.js';
import { digest } from '../../src/pbft/types.js';
import type { QueryReply } from '../../src/wire/service.js';
import { testMembership } from '../unit/crypto/support.js';

interface AnswerOptions {
  readonly value?: unknown;
  readonly lastExecuted?: number;
  readonly lastPrepared?: number;
}

function answer({ value = 'x', lastExecuted = 10, lastPrepared = lastExecuted }: AnswerOptions = {}): QueryReply {
  const bytes = value === undefined ? undefined : Buffer.from(JSON.stringify(value));
  return { nonce: 1, question: digest('0'.repeat(64)), lastExecuted, lastPrepared, value: bytes };
}

interface RoundOptions {
  readonly n?: number;
  readonly consistency?: QueryAnswer['consistency'];
  /** All answers come from one replica. */
  readonly isRepeated?: boolean;
}

/** The answer of a round that got these answers, from replica 0 on; 'none yet' while it waits for more. */
async function round(
  answers: readonly (QueryReply | undefined)[],
  { n = 4, consistency = 'linearizable', isRepeated = false }: RoundOptions = {},
): Promise<QueryAnswer | undefined | 'none yet'> {
  const asked = new QueryRound(1, consistency, 0, testMembership(n));
  for (const [index, reply] of answers.entries()) if (reply !== undefined) asked.add(isRepeated ? 0 : index, reply);
  return await Promise.race([asked.promise, Promise.resolve('none yet' as const)]);
}

/**
 * OSDI '99 §5.1: the client waits for 2f+1 replies with the same result from different replicas, here for q; if they do
 * not come, it sends its request as one that is ordered.
 */
describe('read-only requests (OSDI §5.1)', () => {
  it.each([
    { n: 4, q: 3 },
    { n: 5, q: 4 },
    { n: 6, q: 4 },
    { n: 7, q: 5 },
  ])('are answered by $q equal answers of distinct replicas of $n, not by fewer', async ({ n, q }) => {
    const same = Array.from({ length: q }, () => answer());
    expect(await round(same.slice(1), { n })).toBe('none yet');
    const names = Array.from({ length: q }, (_, index) => `replica-${index + 1}`);
    expect(await round(same, { n })).toEqual({
      value: 'x',
      sequence: 10,
      consistency: 'linearizable',
      replicas: names,
    });
  });

  it('count each replica once', async () => {
    expect(await round([answer(), answer(), answer()], { isRepeated: true })).toBe('none yet');
  });

  it('take no answer that differs for an equal one', async () => {
    expect(await round([answer(), answer({ value: 'y' }), answer()])).toBe('none yet');
    expect(await round([answer(), answer({ value: 'y' }), answer(), answer()])).toMatchObject({
      value: 'x',
      replicas: ['replica-1', 'replica-3', 'replica-4'],
    });
  });

  it('tell nothing from null', async () => {
    const nothing = { ...answer(), value: undefined };
    expect(await round([nothing, nothing, nothing])).toMatchObject({ value: undefined });
    expect(await round([nothing, nothing, answer({ value: null })])).toBe('none yet');
    expect(await round(Array.from({ length: 3 }, () => answer({ value: null })))).toMatchObject({ value: null });
  });

  it('are ordered instead when the answers of all do not agree', async () => {
    const [x, y] = [answer(), answer({ value: 'y' })];
    expect(await round([x, y, x, y])).toBeUndefined();
  });

  it('are not answered from a state that is older than what may have been acknowledged', async () => {
    const behind = answer({ lastExecuted: 10, lastPrepared: 11 });
    expect(await round([behind, behind, behind, behind])).toBeUndefined();
    expect(await round([behind, answer(), answer(), undefined])).toBe('none yet');
    // Any q that are up to date among themselves will do.
    expect(await round([behind, answer(), answer(), answer()])).toMatchObject({ value: 'x' });
  });

  it('need f+1 that have executed whatever one of the q has prepared, for f of them may lie', async () => {
    const liar = answer({ lastExecuted: 99 });
    const prepared = answer({ lastExecuted: 10, lastPrepared: 11 });
    const done = answer({ lastExecuted: 11 });
    expect(await round([{ ...liar, lastPrepared: 0 }, prepared, answer()])).toBe('none yet');
    expect(await round([{ ...liar, lastPrepared: 0 }, prepared, done])).toMatchObject({ value: 'x' });
  });

  it('that may be local take the first answer', async () => {
    const first = answer({ lastExecuted: 3, lastPrepared: 9 });
    expect(await round([first], { consistency: 'local' })).toEqual({
      value: 'x',
      sequence: 3,
      consistency: 'local',
      replicas: ['replica-1'],
    });
  });

  it('come to nothing when their time is over', async () => {
    const asked = new QueryRound(1, 'linearizable', 0, testMembership(4));
    asked.add(0, answer());
    asked.giveUp();
    expect(await asked.promise).toBeUndefined();
  });
});
