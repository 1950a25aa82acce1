import { describe, expect, it } from '@jest/globals';
import WarCouncil from '../../../examples/war-council/war-council.js';
import { answerQuery, executeOperation, decodeOperation } from '../../../src/state-machine/execute.js';
import { digest } from '../../../src/pbft/types.js';
import { MerkleState } from '../../../src/state-machine/merkle-state.js';
import { canonicalJsonBytes, type Json } from '../../../src/wire/json.js';

const council = new WarCouncil();
const fail = (error: unknown) => {
  throw error;
};

describe('the war council', () => {
  it('agrees on the latest proposal', () => {
    const state = new MerkleState();
    const agree = (warTime: number) => {
      const operation = canonicalJsonBytes({ op: 'agree', warTime });
      const circumstances = {
        time: 0,
        sequence: 1,
        client: 'Apple',
        timestamp: 1,
        requestDigest: digest('ab'.repeat(32)),
      };
      return JSON.parse(
        executeOperation(council, state, decodeOperation(council, operation), circumstances, fail),
      ) as Json;
    };
    const current = () => answerQuery(council, state, canonicalJsonBytes({}), fail);
    expect(current()).toBeUndefined();
    expect(agree(8888)).toEqual({ ok: true, warTime: 8888, round: 1 });
    expect(agree(1945)).toEqual({ ok: true, warTime: 1945, round: 2 });
    expect(Buffer.from(current() ?? []).toString()).toBe('{"round":2,"warTime":1945}');
  });

  it.each<Json>([{ op: 'agree' }, { op: 'agree', warTime: 10_000 }, { op: 'agree', warTime: '8888' }, { warTime: 1 }])(
    'does not discuss %j',
    (operation) => {
      expect(decodeOperation(council, canonicalJsonBytes(operation))).toBeUndefined();
    },
  );
});
