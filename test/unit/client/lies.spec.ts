import { describe, expect, it } from '@jest/globals';
import type { Membership } from '../../../src/crypto/membership.js';
import { QueryRound } from '../../../src/client/query-round.js';

describe('a replica that answers a read with bytes that are no JSON', () => {
  it('is not counted, and ends nobody', async () => {
    const replicas = ['a', 'b', 'c', 'd'].map((name) => ({ name }));
    const membership = { n: 4, f: 1, q: 3, replicas } as unknown as Membership;
    const round = new QueryRound(1, 'local', Number.MAX_SAFE_INTEGER, membership);
    const answer = { nonce: 1, lastExecuted: 1, lastPrepared: 1 };
    round.add(3, { ...answer, value: Buffer.from('{not json') });
    round.add(0, { ...answer, value: Buffer.from('8888') });
    expect(await round.promise).toMatchObject({ value: 8888, replicas: ['a'] });
  });
});
