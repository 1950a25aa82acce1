import nodeCrypto from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { digest } from '../../../src/pbft/types.js';
import { DeterminismCheck, type Nondeterminism } from '../../../src/determinism/determinism-check.js';
import { decodeOperation, executeOperation } from '../../../src/state-machine/execute.js';
import KeyValueService from '../../../src/state-machine/key-value.js';
import { MerkleState } from '../../../src/state-machine/merkle-state.js';
import { OperationRejected, type StateMachine } from '../../../src/state-machine/state-machine.js';
import { canonicalJsonBytes, type Json } from '../../../src/wire/json.js';

const circumstances = {
  client: 'gateway-1',
  timestamp: 1,
  sequence: 7,
  time: 1_000,
  requestDigest: digest('ab'.repeat(32)),
};
const operation = z.looseObject({ op: z.string() });
const { random: capturedRandom } = Math;
const { randomUUID: capturedUuid } = nodeCrypto;

function machine(apply: StateMachine<z.infer<typeof operation>>['apply'], schema = operation): StateMachine<unknown> {
  return { name: 'test@1', operation: schema, apply: apply };
}

/** A machine under the check, with what it has reported. */
function checked(under: StateMachine<unknown>) {
  const found: Nondeterminism[] = [];
  const defects: unknown[] = [];
  const state = new MerkleState();
  const check = new DeterminismCheck(
    under,
    (bytes) => decodeOperation(under, bytes),
    (one) => found.push(one),
  );
  const run = (asked: Json = { op: 'do' }): Json => {
    const result = check.execute(state, canonicalJsonBytes(asked), circumstances, (error) => defects.push(error));
    return JSON.parse(result) as Json;
  };
  return { run, state, found, defects };
}

describe('the check for determinism', () => {
  it.each<[string, () => Json, string]>([
    ['Math.random()', () => Math.random(), 'Math.random()'],
    ['a coin', () => Math.random() < 0.5, 'Math.random()'],
    ['Date.now()', () => Date.now(), 'Date.now()'],
    ['the year', () => new Date().getUTCFullYear(), 'new Date()'],
    ['the day of the week', () => new Date().getUTCDay(), 'new Date()'],
    ['Date()', () => Date(), 'Date()'],
    ['performance.now()', () => performance.now(), 'performance.now()'],
    ['process.hrtime()', () => process.hrtime(), 'process.hrtime()'],
    ['process.hrtime.bigint()', () => String(process.hrtime.bigint()), 'process.hrtime.bigint()'],
    ['process.uptime()', () => Math.floor(process.uptime()), 'process.uptime()'],
    ['crypto.randomUUID()', () => crypto.randomUUID(), 'crypto.randomUUID()'],
    ['crypto.getRandomValues()', () => [...crypto.getRandomValues(new Uint8Array(8))], 'crypto.getRandomValues()'],
    ['randomFillSync()', () => nodeCrypto.randomFillSync(Buffer.alloc(8)).toString('hex'), 'crypto.randomFillSync()'],
    ['randomBytes()', () => nodeCrypto.randomBytes(8).toString('hex'), 'crypto.randomBytes()'],
  ])('catches %s, with the operation and what was asked', (_, ask, call) => {
    const { run, found } = checked(machine((__, { state }) => (state.set('drawn', ask()), { ok: true })));
    run({ op: 'draw', from: 'the hat' });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ asked: [call], client: 'gateway-1', sequence: 7 });
    expect(found[0]!.operation).toBe('{"from":"the hat","op":"draw"}');
    expect(found[0]!.message).toContain(`It asked ${call}.`);
    if (call !== 'Math.random()' || _ !== 'a coin') {
      expect(found[0]).toMatchObject({ kind: 'differs', differences: [{ what: 'key "drawn"' }] });
    }
  });

  it.each<[string, () => Json]>([
    ['Math', capturedRandom],
    ['node:crypto', () => capturedUuid()],
  ])('catches dice of %s by their results that a module keeps in a variable of its own', (_, ask) => {
    const { run, found } = checked(machine(() => ask()));
    run();
    expect(found).toMatchObject([{ kind: 'differs', asked: [], differences: [{ what: 'result' }] }]);
  });

  it('leaves clocks and dice as they were', () => {
    const before = [Date, Date.now, performance.now, Math.random, process.hrtime, crypto.randomUUID];
    const own = Object.getOwnPropertyNames(performance);
    checked(machine(() => Date.now())).run();
    expect([Date, Date.now, performance.now, Math.random, process.hrtime, crypto.randomUUID]).toEqual(before);
    expect(Object.getOwnPropertyNames(performance)).toEqual(own);
    expect(() => checked(machine(() => 1)).run('no object')).not.toThrow();
    expect(Date).toBe(before[0]);
  });

  it('leaves dates alone that name their moment, and classes made of Date', () => {
    class Day extends Date {}
    const { run, found } = checked(
      machine((_, { time }) => [new Date(time).toISOString(), new Day(0) instanceof Date, Date.UTC(2026), Date.length]),
    );
    expect(run()).toEqual(['1970-01-01T00:00:01.000Z', true, 1_767_225_600_000, 7]);
    expect(found).toEqual([]);
  });

  it('catches what is kept between calls: a counter, a map by the identity of objects', () => {
    let count = 0;
    const counting = checked(machine(() => ({ count: ++count })));
    counting.run();
    const seen = new Map<object, number>();
    const iterating = checked(machine((asked) => (seen.set(asked, seen.size), [...seen.values()])));
    iterating.run();
    expect(counting.found).toMatchObject([
      { kind: 'differs', asked: [], differences: [{ what: 'result', values: ['{"count":1}', '{"count":2}'] }] },
    ]);
    expect(iterating.found).toMatchObject([{ kind: 'differs', differences: [{ values: ['[0]', '[0,1]'] }] }]);
  });

  it('catches an operation that is rejected at one time and not at another, and a key that is not always written', () => {
    let turn = 0;
    const { run, found, state } = checked(
      machine((_, { state: written }) => {
        turn++;
        if (turn === 1) throw new OperationRejected('not-now', 'later');
        written.set('a', 1);
        return { ok: true };
      }),
    );
    expect(run()).toEqual({ ok: true });
    expect(state.get('a')).toBe(1);
    expect(found[0]!.differences.map(({ what }) => what)).toEqual(['result', 'key "a"']);
    expect(found[0]!.differences[1]!.values).toEqual(['not written', '1']);
  });

  it('catches a schema that fills in what differs', () => {
    const schema = z.looseObject({ op: z.string(), at: z.number().default(() => Date.now()) });
    const { run, found } = checked(machine((asked) => asked as Json, schema));
    run();
    expect(found).toMatchObject([{ kind: 'differs', asked: ['Date.now()'] }]);
  });

  it('says so when the clock is asked to no effect', () => {
    const { run, found } = checked(machine(() => (Date.now() > 0 ? 1 : 2)));
    expect(run()).toBe(1);
    expect(found).toMatchObject([{ kind: 'asks', asked: ['Date.now()'], differences: [] }]);
  });

  it('tells the same trouble with the same operation once, at most 100 in all, and cuts what is long', () => {
    const { run, found } = checked(machine(() => Math.random()));
    for (let turn = 0; turn < 3; turn++) run({ op: 'draw', turn });
    expect(found).toHaveLength(1);
    run({ op: 'roll', text: 'x'.repeat(1000) });
    expect(found).toHaveLength(2);
    expect(found[1]!.operation).toHaveLength(401);
    for (let turn = 0; turn < 200; turn++) run({ op: `draw ${turn}` });
    expect(found).toHaveLength(100);
  });

  it('gives the same results and the same state as without it, and tells of each failure once', () => {
    const operations: Json[] = [
      { op: 'put', key: 'a', value: 1 },
      { op: 'increment', key: 'a' },
      { op: 'delete', key: 'b' },
      { op: 'increment', key: 'b', by: 3 },
      {
        op: 'transaction',
        operations: [
          { op: 'delete', key: 'b' },
          { op: 'increment', key: 'a', by: 0.5 },
        ],
      },
      { op: 'steal' },
      { op: 'delete', key: 'a' },
    ];
    const service = new KeyValueService() as StateMachine<unknown>;
    const { run, found, state } = checked(service);
    const plain = new MerkleState();
    for (const each of operations) {
      const decoded = decodeOperation(service, canonicalJsonBytes(each));
      const expected = executeOperation(service, plain, decoded, circumstances, () => undefined);
      expect(run(each)).toEqual(JSON.parse(expected));
      expect(state.digest()).toBe(plain.digest());
    }
    expect(found).toEqual([]);
    const failing = checked(
      machine(() => {
        throw new Error('broken');
      }),
    );
    failing.run();
    expect([failing.defects.length, failing.found]).toEqual([1, []]);
  });

  it('is content with chance that was agreed', () => {
    const { run, found } = checked(
      machine((_, { state, random, randomBytes, time }) => {
        state.set('drawn', [random(), random(), ...randomBytes(4), time]);
        return state.get('drawn')!;
      }),
    );
    expect(run()).toEqual(run());
    expect(found).toEqual([]);
  });
});
