import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { InvariantViolation } from '../../../src/pbft/invariant.js';
import { digest } from '../../../src/pbft/types.js';
import { answerQuery, executeOperation, decodeOperation } from '../../../src/state-machine/execute.js';
import { MerkleState } from '../../../src/state-machine/merkle-state.js';
import {
  OperationRejected,
  type OperationContext,
  type StateMachine,
} from '../../../src/state-machine/state-machine.js';
import { canonicalJsonBytes, type Json } from '../../../src/wire/json.js';

const circumstances = {
  time: 1_700_000_000_000,
  sequence: 7,
  client: 'gateway-1',
  timestamp: 1,
  requestDigest: digest('ab'.repeat(32)),
};

/** A state machine that does what the test says. */
function machineThat(
  apply: (operation: unknown, context: OperationContext) => unknown,
  query?: (query: Json) => unknown,
): StateMachine<unknown> {
  const machine = { name: 'test@1', operation: z.unknown(), apply: apply as StateMachine<unknown>['apply'] };
  return query === undefined ? machine : { ...machine, query: query as NonNullable<StateMachine['query']> };
}

function execute(machine: StateMachine<unknown>, operation: Json | Uint8Array = null, state = new MerkleState()) {
  const defects: unknown[] = [];
  const bytes = operation instanceof Uint8Array ? operation : canonicalJsonBytes(operation);
  const result = executeOperation(machine, state, decodeOperation(machine, bytes), circumstances, (error) =>
    defects.push(error),
  );
  return { text: result, result: JSON.parse(result) as Json, defects };
}

const text = (value: string) => Buffer.from(value);

describe('executing an operation', () => {
  it('gives the machine the operation and what it may know, and encodes its result canonically', () => {
    const seen: unknown[] = [];
    const state = new MerkleState();
    const machine = machineThat((operation, given) => {
      seen.push(operation, given);
      given.state.set('a', 1);
      return { z: -0, a: [1e-7] };
    });
    expect(execute(machine, { hello: 'world' }, state).text).toBe('{"a":[1e-7],"z":0}');
    const { client, sequence, time } = circumstances;
    const chance = { random: expect.any(Function), randomBytes: expect.any(Function) };
    expect(seen).toEqual([{ hello: 'world' }, { client, sequence, time, state, signer: undefined, ...chance }]);
    expect(state.get('a')).toBe(1);
  });

  it('encodes a frozen result once, unless what it says can change all the same', () => {
    let current = 1;
    const constant = Object.freeze({ ok: true });
    const own = Object.freeze(Object.defineProperty({}, 'n', { get: () => current, enumerable: true }));
    const inside = Object.freeze({ list: [1] });
    const said = Object.freeze(Object.defineProperty({}, 'toJSON', { value: () => ({ n: current }) }));
    const textsOf = (): string[] =>
      [constant, own, inside, said].map((result) => execute(machineThat(() => result)).text);
    expect(textsOf()).toEqual(['{"ok":true}', '{"n":1}', '{"list":[1]}', '{"n":1}']);
    current = 2;
    inside.list.push(2);
    expect(textsOf()).toEqual(['{"ok":true}', '{"n":2}', '{"list":[1,2]}', '{"n":2}']);
  });

  it('undoes what a rejected operation wrote, and says why it was rejected', () => {
    const state = new MerkleState();
    const machine = machineThat((_, given) => {
      given.state.set('a', 1);
      throw new OperationRejected('too-late', 'the war is over');
    });
    const { result, defects } = execute(machine, null, state);
    expect(result).toEqual({ ok: false, error: { code: 'too-late', message: 'the war is over' } });
    expect(defects).toEqual([]);
    expect(state.digest()).toBe(new MerkleState().digest());
  });

  it('undoes what a failing operation wrote, tells the host why, and keeps the reason out of the result', () => {
    const state = new MerkleState();
    const error = new Error('at replica 3 only');
    const machine = machineThat((_, given) => {
      given.state.set('a', 1);
      throw error;
    });
    const { text, defects } = execute(machine, null, state);
    expect(text).toBe('{"error":{"code":"internal"},"ok":false}');
    expect(defects).toEqual([error]);
    expect(state.has('a')).toBe(false);
  });

  it.each<[string, () => unknown]>([
    ['undefined', () => undefined],
    ['a function', () => () => 1],
    ['a Date', () => new Date(0)],
    ['NaN', () => NaN],
    ['an integer beyond 2^53', () => 1e20],
    ['half a surrogate pair', () => ['\ud83d']],
    ['a promise', () => Promise.resolve({ ok: true })],
  ])('refuses %s as a result, and undoes the operation', (_, answer) => {
    const state = new MerkleState();
    const machine = machineThat((_operation, given) => {
      given.state.set('a', 1);
      return answer();
    });
    const { result, defects } = execute(machine, null, state);
    expect(result).toEqual({ ok: false, error: { code: 'internal' } });
    expect(defects).toHaveLength(1);
    expect(state.has('a')).toBe(false);
  });

  it('tells the host of a promise and of its failure, which must not end the process', async () => {
    const failure = new Error('later');
    const { defects } = execute(machineThat(() => Promise.reject(failure)));
    await Promise.resolve();
    expect(defects).toEqual([expect.any(TypeError), failure]);
  });

  it('lets nothing be written once the operation is over', () => {
    let kept: OperationContext | undefined;
    execute(machineThat((_, given) => ((kept = given), null)));
    expect(() => kept?.state.set('a', 1)).toThrow(TypeError);
  });

  it.each<[string, unknown, string]>([
    ['too large', 'x'.repeat(64 * 1024 - 1), 'result-too-large'],
    ['too deep', nested(65), 'result-too-deep'],
  ])('refuses a result that is %s', (_, answer, code) => {
    const { result, defects } = execute(machineThat(() => answer));
    expect(result).toMatchObject({ ok: false, error: { code } });
    expect(defects).toEqual([]);
  });

  it('takes a result as large and as deep as may be', () => {
    expect(execute(machineThat(() => 'x'.repeat(64 * 1024 - 2))).text).toHaveLength(64 * 1024);
    expect(execute(machineThat(() => nested(64))).text).toHaveLength(128);
  });

  it('answers an operation that no correct replica prepares, without the machine', () => {
    const machine = machineThat(() => {
      throw new Error('was called');
    });
    const { result, defects } = execute(machine, text('{"a": 1}'));
    expect(result).toMatchObject({ ok: false, error: { code: 'invalid-operation' } });
    expect(defects).toEqual([]);
  });

  it('gives "internal" for a rejection whose reason is no text that can be sent', () => {
    const { text } = execute(
      machineThat(() => {
        throw new OperationRejected('x', '\ud800');
      }),
    );
    expect(text).toBe('{"error":{"code":"internal"},"ok":false}');
  });

  it('does not hide a broken invariant of ours', () => {
    const machine = machineThat(() => {
      throw new InvariantViolation('broken');
    });
    expect(() => execute(machine)).toThrow(InvariantViolation);
  });
});

describe('validity of an operation', () => {
  const any = machineThat(() => null);

  it.each([
    '{"a":1,"b":[true,null,"é"]}',
    '0.1',
    '1e-7',
    '""',
    '9007199254740991',
    '{"10":1,"9":2}',
    '"\\\\ud800"',
    nestedText(32),
  ])('takes %s', (json) => {
    expect(decodeOperation(any, text(json))).toBeDefined();
  });

  it.each([
    ['white space', '{"a": 1}'],
    ['keys out of order', '{"b":1,"a":1}'],
    ['whole numbers as keys, out of order', '{"9":2,"10":1}'],
    ['half a surrogate pair', '"\\ud800"'],
    ['one key twice', '{"a":1,"a":1}'],
    ['a needless escape', '"\\u0061"'],
    ['half a surrogate pair', '"\\ud800"'],
    ['-0', '-0'],
    ['a fraction that is none', '1.0'],
    ['a number that is rounded', '9007199254740993'],
    ['an integer beyond 2^53', '9007199254740992'],
    ['a number beyond all', '1e999'],
    ['what is no JSON', '{'],
    ['nothing', ''],
    ['a byte order mark', '\ufeff1'],
    ['containers 33 deep', nestedText(33)],
    ['containers 100,000 deep', nestedText(30_000)],
  ])('refuses %s', (_, json) => {
    expect(decodeOperation(any, text(json))).toBeUndefined();
  });

  it('refuses what is not UTF-8', () => {
    expect(decodeOperation(any, Buffer.from([0x22, 0xff, 0x22]))).toBeUndefined();
    expect(decodeOperation(any, Buffer.from([0x22, 0xc0, 0x80, 0x22]))).toBeUndefined();
  });

  it('refuses an operation over 64 KiB', () => {
    expect(decodeOperation(any, text(`"${'x'.repeat(64 * 1024 - 2)}"`))).toBeDefined();
    expect(decodeOperation(any, text(`"${'x'.repeat(64 * 1024 - 1)}"`))).toBeUndefined();
  });

  it('asks the machine’s schema, which may throw, but must answer at once', () => {
    const machine = (operation: StateMachine<unknown>['operation']) => ({ ...any, operation });
    expect(decodeOperation(machine(z.literal(1)), text('1'))).toBeDefined();
    expect(decodeOperation(machine(z.literal(1)), text('2'))).toBeUndefined();
    const later = z.unknown().refine(async () => await Promise.resolve(true));
    expect(decodeOperation(machine(later), text('1'))).toBeUndefined();
    const failing = z.unknown().transform(() => {
      throw new Error('fails');
    });
    expect(decodeOperation(machine(failing), text('1'))).toBeUndefined();
  });

  it('gives the machine what the schema made of the operation', () => {
    const machine = {
      ...machineThat((operation) => operation),
      operation: z.object({ by: z.int().default(1) }),
    };
    expect(execute(machine, {}).result).toEqual({ by: 1 });
  });
});

describe('answering a query', () => {
  const ask = (machine: StateMachine<unknown>, query = '{}') => {
    const defects: unknown[] = [];
    const answer = answerQuery(machine, new MerkleState(), text(query), (error) => defects.push(error));
    return { answer: answer === undefined ? undefined : Buffer.from(answer).toString(), defects };
  };

  it('encodes the answer canonically', () => {
    expect(
      ask(
        machineThat(
          () => null,
          (query) => ({ z: 1, query }),
        ),
        '[1]',
      ).answer,
    ).toBe('{"query":[1],"z":1}');
  });

  it('has none where the machine has none, or takes no queries, or the query is not canonical', () => {
    expect(
      ask(
        machineThat(
          () => null,
          () => undefined,
        ),
      ).answer,
    ).toBeUndefined();
    expect(ask(machineThat(() => null)).answer).toBeUndefined();
    expect(
      ask(
        machineThat(
          () => null,
          () => 1,
        ),
        '{ }',
      ).answer,
    ).toBeUndefined();
  });

  it('has none where the machine fails, and tells the host', () => {
    const error = new Error('fails');
    const failing = machineThat(
      () => null,
      () => {
        throw error;
      },
    );
    expect(ask(failing)).toEqual({ answer: undefined, defects: [error] });
    expect(
      ask(
        machineThat(
          () => null,
          () => NaN,
        ),
      ),
    ).toEqual({ answer: undefined, defects: [expect.any(TypeError)] });
  });

  it('cannot write', () => {
    const state = new MerkleState();
    const machine = { ...machineThat(() => null), query: () => (state.set('a', 1), null) };
    answerQuery(machine, state, text('{}'), () => undefined);
    expect(state.has('a')).toBe(false);
  });
});

function nested(depth: number): Json {
  return JSON.parse(nestedText(depth)) as Json;
}

function nestedText(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth);
}
