import { describe, expect, it } from '@jest/globals';
import { executeOperation, decodeOperation } from '../../../src/state-machine/execute.js';
import KeyValueService, { valueBytesMax } from '../../../src/state-machine/key-value.js';
import { digest } from '../../../src/pbft/types.js';
import { MerkleState } from '../../../src/state-machine/merkle-state.js';
import { canonicalJsonBytes, type Json } from '../../../src/wire/json.js';

const service = new KeyValueService();

/** A service with its own state, operated the way a replica does. */
function store() {
  const state = new MerkleState();
  const run = (operation: Json): Json => {
    const circumstances = {
      time: 0,
      sequence: 1,
      client: 'test',
      timestamp: 1,
      requestDigest: digest('ab'.repeat(32)),
    };
    const result = executeOperation(
      service,
      state,
      decodeOperation(service, canonicalJsonBytes(operation)),
      circumstances,
      (error) => {
        throw error;
      },
    );
    return JSON.parse(result) as Json;
  };
  return { state, run };
}

describe('the key-value service', () => {
  it('puts, gets and deletes', () => {
    const { run } = store();
    expect(run({ op: 'get', key: 'a' })).toEqual({ ok: true, found: false });
    expect(run({ op: 'put', key: 'a', value: { x: [null] } })).toEqual({ ok: true });
    expect(run({ op: 'get', key: 'a' })).toEqual({ ok: true, found: true, value: { x: [null] } });
    expect(run({ op: 'put', key: 'a', value: null })).toEqual({ ok: true });
    expect(run({ op: 'get', key: 'a' })).toEqual({ ok: true, found: true, value: null });
    expect(run({ op: 'delete', key: 'a' })).toEqual({ ok: true, existed: true });
    expect(run({ op: 'delete', key: 'a' })).toEqual({ ok: true, existed: false });
    expect(run({ op: 'get', key: 'a' })).toEqual({ ok: true, found: false });
  });

  it('sets only what is as expected, however its members are ordered', () => {
    const { run, state } = store();
    const mismatch = { ok: false, error: { code: 'mismatch', message: 'the value is not the expected one' } };
    const set = (change: object) => run({ op: 'compare-and-set', key: 'a', ...change });
    expect(set({ expected: 1, value: 2 })).toEqual(mismatch);
    expect(set({ value: { x: 1, y: [2] } })).toEqual({ ok: true });
    expect(set({ value: 3 })).toEqual({ ...mismatch, actual: { x: 1, y: [2] } });
    expect(set({ expected: { x: 1, y: [2, 3] }, value: 3 })).toEqual({ ...mismatch, actual: { x: 1, y: [2] } });
    expect(set({ expected: { y: [2], x: 1 }, value: null })).toEqual({ ok: true });
    expect(set({ value: 3 })).toEqual({ ...mismatch, actual: null });
    expect(set({ expected: null, value: 3 })).toEqual({ ok: true });
    expect(state.get('a')).toBe(3);
  });

  it('does all operations of a transaction, each on what those before it have written', () => {
    const { run } = store();
    const result = run({
      op: 'transaction',
      conditions: [{ key: 'a', exists: false }],
      operations: [
        { op: 'put', key: 'a', value: 1 },
        { op: 'increment', key: 'a', by: 2 },
        { op: 'get', key: 'a' },
        { op: 'delete', key: 'b' },
      ],
    });
    const results = [
      { ok: true },
      { ok: true, value: 3 },
      { ok: true, found: true, value: 3 },
      { ok: true, existed: false },
    ];
    expect(result).toEqual({ ok: true, results });
  });

  it('does nothing of a transaction of which a condition does not hold', () => {
    const { run, state } = store();
    run({ op: 'put', key: 'a', value: { x: [1] } });
    const attempt = (...conditions: Json[]): Json =>
      run({ op: 'transaction', conditions, operations: [{ op: 'put', key: 'done', value: true }] });
    const failed = (index: number, key: string): Json => {
      const error = { code: 'condition-failed', message: 'a condition does not hold', details: { index, key } };
      return { ok: false, error };
    };
    expect(attempt({ key: 'a', exists: false })).toEqual(failed(0, 'a'));
    expect(attempt({ key: 'a', exists: true }, { key: 'b', exists: true })).toEqual(failed(1, 'b'));
    expect(attempt({ key: 'a', equals: { x: [2] } })).toEqual(failed(0, 'a'));
    expect(attempt({ key: 'b', equals: null })).toEqual(failed(0, 'b'));
    expect(state.has('done')).toBe(false);
    expect(attempt({ key: 'a', equals: { x: [1] } }, { key: 'b', exists: false })).toMatchObject({ ok: true });
    expect(state.get('done')).toBe(true);
  });

  it('undoes a transaction of which one operation fails, and says which', () => {
    const { run, state } = store();
    run({ op: 'put', key: 'balance', value: 'none' });
    const before = state.digest();
    const operations = [
      { op: 'put', key: 'a', value: 1 },
      { op: 'delete', key: 'balance' },
      { op: 'put', key: 'balance', value: 'x' },
      { op: 'increment', key: 'balance' },
    ];
    const result = { ok: false, error: { code: 'not-a-number', message: 'the value is not a number' } };
    const error = { code: 'operation-failed', message: 'one of the operations failed', details: { index: 3, result } };
    expect(run({ op: 'transaction', operations })).toEqual({ ok: false, error });
    expect(state.digest()).toBe(before);
  });

  it.each([
    ['without operations', { operations: [] }],
    ['with too many', { operations: Array.from({ length: 129 }, () => ({ op: 'get', key: 'a' })) }],
    ['in a transaction', { operations: [{ op: 'transaction', operations: [{ op: 'get', key: 'a' }] }] }],
    [
      'with a condition that says two things',
      { conditions: [{ key: 'a', exists: true, equals: 1 }], operations: [{ op: 'get', key: 'a' }] },
    ],
    ['with a condition that says nothing', { conditions: [{ key: 'a' }], operations: [{ op: 'get', key: 'a' }] }],
  ])('takes no transaction %s', (_, parts) => {
    expect(decodeOperation(service, canonicalJsonBytes({ op: 'transaction', ...parts }))).toBeUndefined();
  });

  it('increments, from 0 and by 1 unless told otherwise', () => {
    const { run } = store();
    expect(run({ op: 'increment', key: 'a' })).toEqual({ ok: true, value: 1 });
    expect(run({ op: 'increment', key: 'a', by: 41 })).toEqual({ ok: true, value: 42 });
    expect(run({ op: 'increment', key: 'a', by: -50 })).toEqual({ ok: true, value: -8 });
    expect(run({ op: 'increment', key: 'a', by: 0 })).toEqual({ ok: true, value: -8 });
  });

  it.each<[Json, Json, string]>([
    ['1', 1, 'not-a-number'],
    [null, 1, 'not-a-number'],
    [0.5, 1, 'not-an-integer'],
    [Number.MAX_SAFE_INTEGER, 1, 'overflow'],
    [Number.MIN_SAFE_INTEGER, -1, 'overflow'],
  ])('does not increment %j by %j: %s', (value, by, code) => {
    const { run, state } = store();
    run({ op: 'put', key: 'a', value });
    expect(run({ op: 'increment', key: 'a', by })).toMatchObject({ ok: false, error: { code } });
    expect(state.get('a')).toEqual(value);
  });

  it.each<[string, Json]>([
    ['no operation', {}],
    ['an unknown operation', { op: 'steal', key: 'a' }],
    ['an unknown field', { op: 'get', key: 'a', value: 1 }],
    ['no key', { op: 'put', value: 1 }],
    ['an empty key', { op: 'get', key: '' }],
    ['a key that is no text', { op: 'get', key: 1 }],
    ['a key over 1024 bytes', { op: 'get', key: 'é'.repeat(513) }],
    ['no value', { op: 'put', key: 'a' }],
    ['a value over its limit', { op: 'put', key: 'a', value: 'x'.repeat(valueBytesMax - 1) }],
    ['a step that is no integer', { op: 'increment', key: 'a', by: 0.5 }],
    ['a step that is no number', { op: 'increment', key: 'a', by: '1' }],
    ['a text', 'get'],
  ])('refuses %s before it is ordered', (_, operation) => {
    expect(decodeOperation(service, canonicalJsonBytes(operation))).toBeUndefined();
  });

  it('gives back the largest value that it takes, also as the actual value of a mismatch', () => {
    const { run } = store();
    const value = 'x'.repeat(valueBytesMax - 2);
    expect(run({ op: 'put', key: 'a', value })).toEqual({ ok: true });
    expect(run({ op: 'get', key: 'a' })).toEqual({ ok: true, found: true, value });
    expect(run({ op: 'compare-and-set', key: 'a', value: 1 })).toMatchObject({ ok: false, actual: value });
  });

  it('answers queries without being executed', () => {
    const { run, state } = store();
    run({ op: 'put', key: 'a', value: null });
    expect(service.query({ op: 'get', key: 'a' }, state)).toBeNull();
    expect(service.query({ op: 'get', key: 'b' }, state)).toBeUndefined();
    expect(service.query({ op: 'put', key: 'a', value: 1 }, state)).toBeUndefined();
    expect(service.query('a', state)).toBeUndefined();
  });
});
