import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import Approval from '../../../examples/approval/approval.js';
import SettlementLedger from '../../../examples/settlement-ledger/ledger.js';
import { answerQuery, decodeOperation, executeOperation } from '../../../src/state-machine/execute.js';
import { digest } from '../../../src/pbft/types.js';
import { MerkleState } from '../../../src/state-machine/merkle-state.js';
import type { StateMachine } from '../../../src/state-machine/state-machine.js';
import { canonicalJsonBytes, type Json } from '../../../src/wire/json.js';

const fail = (error: unknown): never => {
  throw error;
};

/** A machine with its state, run as a replica runs it. */
function running(machine: StateMachine<unknown>) {
  const state = new MerkleState();
  const circumstances = {
    time: 1,
    sequence: 1,
    client: 'gateway-1',
    timestamp: 1,
    requestDigest: digest('ab'.repeat(32)),
  };
  return {
    apply: (operation: Json): Json =>
      JSON.parse(
        executeOperation(machine, state, decodeOperation(machine, canonicalJsonBytes(operation)), circumstances, fail),
      ) as Json,
    get: (key: string): Json | undefined => {
      const answer = answerQuery(machine, state, canonicalJsonBytes({ op: 'get', key }), fail);
      return answer === undefined ? undefined : (JSON.parse(Buffer.from(answer).toString()) as Json);
    },
  };
}

const refused = (code: string): object => ({ ok: false, error: { code, message: expect.any(String) } });

describe('the settlement ledger', () => {
  const companies = ['Acme', 'Bolt', 'Coil', 'Dyne'] as const;
  const transfer = (from: string, to: string, cents: number, reference: string): Json => ({
    ...{ op: 'transfer', from, to, cents, reference },
  });

  it('settles a reference once, and nothing that is not covered', () => {
    const { apply, get } = running(new SettlementLedger());
    expect(apply({ op: 'deposit', to: 'Acme', cents: 100 })).toEqual({ ok: true, balance: 100 });
    expect(apply(transfer('Acme', 'Bolt', 60, 'a'))).toEqual({ ok: true, reference: 'a', balance: 40 });
    expect(apply(transfer('Acme', 'Bolt', 1, 'a'))).toEqual(refused('already-settled'));
    expect(apply(transfer('Acme', 'Bolt', 41, 'b'))).toEqual(refused('insufficient-funds'));
    expect(apply(transfer('Acme', 'Acme', 1, 'c'))).toEqual(refused('same-company'));
    expect([get('balance:Acme'), get('balance:Bolt'), get('settled:b')]).toEqual([40, 60, undefined]);
    expect(get('settled:a')).toEqual({ from: 'Acme', to: 'Bolt', cents: 60, time: 1 });
  });

  it.each<Json>([
    { op: 'deposit', to: 'Acme', cents: -1 },
    { op: 'deposit', to: 'Acme', cents: 0.5 },
    { op: 'deposit', to: 'Eve', cents: 1 },
    { op: 'transfer', from: 'Acme', to: 'Bolt', cents: 1 },
  ])('does not take %j', (order) => {
    expect(running(new SettlementLedger()).apply(order)).toEqual(refused('invalid-operation'));
  });

  it('keeps every balance at 0 or above, and the sum at what was paid in, whatever is ordered', () => {
    const name = fc.constantFrom(...companies);
    const cents = fc.integer({ min: 1, max: 100 });
    const order = fc.oneof(
      fc.record({ op: fc.constant('deposit'), to: name, cents }),
      fc.record({
        op: fc.constant('transfer'),
        from: name,
        to: name,
        cents,
        reference: fc.constantFrom('1', '2', '3', '4'),
      }),
    );
    fc.assert(
      fc.property(fc.array(order, { maxLength: 30 }), (orders) => {
        const { apply, get } = running(new SettlementLedger());
        for (const each of orders) apply(each);
        const balances = companies.map((company) => Number(get(`balance:${company}`) ?? 0));
        const paidIn = orders.reduce((sum, { op, cents: amount }) => sum + (op === 'deposit' ? amount : 0), 0);
        expect(Math.min(...balances)).toBeGreaterThanOrEqual(0);
        expect(balances.reduce((sum, balance) => sum + balance, 0)).toBe(paidIn);
      }),
      { seed: 1, numRuns: 40 },
    );
  });
});

describe('the approval by two of three', () => {
  const decide = (by: string, decision: string, id = 'x'): Json => ({ op: 'decide', id, by, decision });

  it.each<[string, readonly Json[], string]>([
    ['approved', [decide('Ada', 'approve'), decide('Grace', 'approve')], 'approved'],
    ['rejected', [decide('Ada', 'approve'), decide('Grace', 'reject'), decide('Edsger', 'reject')], 'rejected'],
    ['open', [decide('Ada', 'approve'), decide('Grace', 'reject')], 'open'],
  ])('ends %s', (_, decisions, outcome) => {
    const { apply, get } = running(new Approval());
    expect(apply({ op: 'propose', id: 'x', what: 'ship it' })).toEqual({ ok: true, outcome: 'open' });
    for (const decision of decisions) apply(decision);
    expect(get('x')).toMatchObject({ what: 'ship it', outcome });
  });

  it('counts one vote each, and none after the decision', () => {
    const { apply } = running(new Approval());
    expect(apply(decide('Ada', 'approve'))).toEqual(refused('unknown-proposal'));
    apply({ op: 'propose', id: 'x', what: 'ship it' });
    expect(apply({ op: 'propose', id: 'x', what: 'another' })).toEqual(refused('already-proposed'));
    apply(decide('Ada', 'approve'));
    expect(apply(decide('Ada', 'approve'))).toEqual(refused('already-voted'));
    apply(decide('Grace', 'approve'));
    expect(apply(decide('Edsger', 'reject'))).toEqual(refused('already-decided'));
  });

  it.each<Json>([decide('Eve', 'approve'), decide('Ada', 'maybe'), { op: 'propose', id: 'a b', what: 'x' }])(
    'does not take %j',
    (request) => {
      expect(running(new Approval()).apply(request)).toEqual(refused('invalid-operation'));
    },
  );
});
