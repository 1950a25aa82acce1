import { deepStrictEqual } from 'node:assert/strict';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { QuorateError } from '../../src/errors.js';
import { canonicalJson, type Json } from '../../src/wire/json.js';
import {
  DEFAULT_JSON_LIMITS,
  type JsonLimits,
  jsonPointer,
  parseStrictJson,
  parseStrictJsonBytes,
  type StrictJsonRefusal,
} from '../../src/wire/strict-json.js';

function refusalOf(read: () => unknown): QuorateError {
  try {
    read();
  } catch (error) {
    if (error instanceof QuorateError) return error;
    throw error;
  }
  throw new Error('the text was accepted');
}

function reasonFor(text: string, limits = DEFAULT_JSON_LIMITS): unknown {
  const error = refusalOf(() => parseStrictJson(text, limits));
  expect(error.code).toBe('invalid-request');
  return error.details.reason;
}

describe('what strict JSON takes', () => {
  it.each([
    'null',
    ' true\n',
    'false',
    '0',
    '-1',
    '9007199254740991',
    '-9007199254740991',
    '0.1',
    '1.50',
    '1e3',
    '2.0',
    '0.0',
    '0e99',
    '5e-324',
    '1.7976931348623157e-300',
    '123456789.123e2',
    '""',
    '"\\ud83d\\ude00"',
    '"😀"',
    '"\u2028"',
    '{}',
    '[]',
    '[[],{}]',
    '\t{"a" : [1, {"a": null}], "b": "\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041"}\r\n',
  ])('%j, as JSON.parse does', (text) => {
    expect(parseStrictJson(text)).toStrictEqual(JSON.parse(text));
  });
});

describe('what strict JSON refuses', () => {
  it.each<[string, StrictJsonRefusal]>([
    ['', 'syntax'],
    ['  ', 'syntax'],
    ['1 2', 'syntax'],
    ['{"a":1}x', 'syntax'],
    ['{"a":1}\0', 'syntax'],
    ['[1,]', 'syntax'],
    ['{"a":1,}', 'syntax'],
    ['{,}', 'syntax'],
    ['[,1]', 'syntax'],
    ['{a:1}', 'syntax'],
    ["'a'", 'syntax'],
    ['[1 2]', 'syntax'],
    ['[1', 'syntax'],
    ['{"a"}', 'syntax'],
    ['{"a":}', 'syntax'],
    ['"a', 'syntax'],
    ['"a\nb"', 'syntax'],
    ['"a\tb"', 'syntax'],
    ['"\\x"', 'syntax'],
    ['"\\u12g4"', 'syntax'],
    ['// comment\n1', 'syntax'],
    ['/* comment */ 1', 'syntax'],
    ['01', 'syntax'],
    ['[-01]', 'negative-zero'],
    ['-1x', 'syntax'],
    ['1.', 'syntax'],
    ['.5', 'syntax'],
    ['+1', 'syntax'],
    ['1e', 'syntax'],
    ['-', 'syntax'],
    ['0x10', 'syntax'],
    ['NaN', 'syntax'],
    ['Infinity', 'syntax'],
    ['undefined', 'syntax'],
    ['tru', 'syntax'],
    ['\u00a01', 'syntax'],
    ['\uFEFF1', 'byte-order-mark'],
    ['9007199254740992', 'number-out-of-range'],
    ['9007199254740993', 'number-out-of-range'],
    ['-9007199254740992', 'number-out-of-range'],
    ['9007199254740991.2', 'number-loses-digits'],
    ['9007199254740992e0', 'number-out-of-range'],
    ['1e400', 'number-out-of-range'],
    ['-1e400', 'number-out-of-range'],
    ['1e21', 'number-out-of-range'],
    ['1e-400', 'number-loses-digits'],
    ['-1e-400', 'number-loses-digits'],
    ['0.1000000000000000055511151231257827', 'number-loses-digits'],
    ['0.30000000000000001', 'number-loses-digits'],
    ['3e-324', 'number-loses-digits'],
    ['-0', 'negative-zero'],
    ['-0.00e5', 'negative-zero'],
    ['{"a":1,"a":1}', 'duplicate-key'],
    ['{"a":1,"\\u0061":2}', 'duplicate-key'],
    ['{"__proto__":1,"__proto__":2}', 'duplicate-key'],
    ['[{"a":{"b":1,"c":2,"b":3}}]', 'duplicate-key'],
    ['"\\ud800"', 'lone-surrogate'],
    ['"\\udc00\\ud800"', 'lone-surrogate'],
    ['{"\\ud800":1}', 'lone-surrogate'],
    ['"\ud800"', 'lone-surrogate'],
  ])('%j: %s', (text, reason) => {
    expect(reasonFor(text)).toBe(reason);
  });

  it('says where', () => {
    const { details, message } = refusalOf(() => parseStrictJson('{\n "a": [1, {"b": 9007199254740993}]}'));
    expect(details).toMatchObject({ line: 2, column: 17, offset: 18, pointer: '#/a/1/b' });
    expect(message).toContain('line 2, column 17');
    expect(refusalOf(() => parseStrictJson('{"a":{"b":1,"b":2}}')).details.pointer).toBe('#/a/b');
    expect(refusalOf(() => parseStrictJson('[1,')).details).toMatchObject({ reason: 'syntax', line: 1 });
  });

  it('counts depth up to the limit and no further', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(parseStrictJson(nested(32))).toBeDefined();
    expect(reasonFor(nested(33))).toBe('too-deep');
    expect(reasonFor('['.repeat(1_000_000))).toBe('too-deep');
    expect(reasonFor('{"a":'.repeat(100_000))).toBe('too-deep');
    expect(parseStrictJson('[[],[],{}]', { ...DEFAULT_JSON_LIMITS, depthMax: 2 })).toStrictEqual([[], [], {}]);
  });

  it('counts members and elements of the whole document', () => {
    const limits = { ...DEFAULT_JSON_LIMITS, entriesMax: 4 };
    expect(parseStrictJson('{"a":[1,[2]]}', limits)).toStrictEqual({ a: [1, [2]] });
    expect(reasonFor('{"a":[1,[2,3]]}', limits)).toBe('too-many-entries');
    expect(reasonFor('[[],{},[],{},[]]', limits)).toBe('too-many-entries');
  });

  it('measures strings and keys after unescaping', () => {
    const limits = { ...DEFAULT_JSON_LIMITS, stringLengthMax: 3 };
    expect(parseStrictJson('{"abc":"\\u0061bc"}', limits)).toStrictEqual({ abc: 'abc' });
    expect(reasonFor('"abcd"', limits)).toBe('string-too-long');
    expect(reasonFor('{"abcd":1}', limits)).toBe('string-too-long');
  });
});

describe('__proto__', () => {
  it('is an own property and changes no prototype', () => {
    const value = parseStrictJson('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
    expect(Object.keys(value as object)).toStrictEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('bytes', () => {
  it.each([
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate in UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a lone continuation byte', [0x22, 0x80, 0x22]],
    ['a cut sequence', [0x22, 0xe2, 0x82, 0x22]],
    ['UTF-16', [0xff, 0xfe, 0x31, 0x00]],
    ['a code point above U+10FFFF', [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]],
  ])('refuses %s instead of replacing it', (_name, bytes) => {
    expect(refusalOf(() => parseStrictJsonBytes(Uint8Array.from(bytes))).details.reason).toBe('not-utf8');
  });

  it('refuses a byte order mark instead of dropping it', () => {
    const bytes = Uint8Array.from([0xef, 0xbb, 0xbf, 0x31]);
    expect(refusalOf(() => parseStrictJsonBytes(bytes)).details.reason).toBe('byte-order-mark');
  });

  it('takes UTF-8 of every length', () => {
    expect(parseStrictJsonBytes(Buffer.from('"aé€😀"'))).toBe('aé€😀');
  });
});

describe('pointers', () => {
  it('escapes, and stays short', () => {
    expect(jsonPointer([])).toBe('#');
    expect(jsonPointer(['a/b', 'c~d', 0, 'é'])).toBe('#/a~1b/c~0d/0/%C3%A9');
    expect(jsonPointer(['\ud800'])).toBe('#/%EF%BF%BD');
    const long = Array.from({ length: 32 }, () => '€'.repeat(10_000));
    expect(jsonPointer(long).length).toBeLessThanOrEqual(1030);
  });
});

// deepStrictEqual, because Jest's equality asks `value.constructor`, which may be a key here.
describe('properties (fast-check prints the seed of a failure)', () => {
  const number = fc
    .oneof(fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }))
    .filter((n) => (!Number.isInteger(n) || Number.isSafeInteger(n)) && !Object.is(n, -0));
  const string = fc.string({ unit: 'binary' });
  const { value } = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.constant(null),
      fc.boolean(),
      number,
      string,
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(fc.oneof(string, fc.constantFrom('__proto__', 'constructor', 'a')), tie('value'), { maxKeys: 5 }),
    ),
  }));

  it('takes every value that a double and well-formed strings can hold, as JSON.parse does', () => {
    fc.assert(
      fc.property(value, fc.constantFrom('', ' ', '\t', '\n  '), (json, space) => {
        const text = JSON.stringify(json, null, space);
        deepStrictEqual(parseStrictJson(text), JSON.parse(text));
      }),
    );
  });

  it('takes every escape, as JSON.parse does', () => {
    const escaped = (text: string, mask: readonly boolean[]): string =>
      Array.from({ length: text.length }, (_, i) =>
        mask[i % mask.length] === true
          ? `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`
          : JSON.stringify(text).length === text.length + 2
            ? text.charAt(i)
            : `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`,
      ).join('');
    fc.assert(
      fc.property(string, fc.array(fc.boolean(), { minLength: 1 }), (text, mask) => {
        const literal = `{"${escaped(text, mask)}":"${escaped(text, mask)}"}`;
        deepStrictEqual(parseStrictJson(literal), JSON.parse(literal));
      }),
    );
  });

  it('says the same of a text that is seen to be plain and of one that is looked at token by token', () => {
    const said = (text: string, limits: JsonLimits): unknown => {
      try {
        return parseStrictJson(text, limits);
      } catch (error) {
        return (error as QuorateError).details.reason;
      }
    };
    const literal = fc.constantFrom(
      '0',
      '-0',
      '1.5',
      '1e3',
      '9007199254740992',
      '1e400',
      '0.1',
      '"a"',
      '"\\ud800"',
      '"\ud800"',
      '"\\n"',
    );
    const { text } = fc.letrec<{ text: string }>((tie) => ({
      text: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        literal,
        fc.array(tie('text'), { maxLength: 3 }).map((elements) => `[${elements.join()}]`),
        fc
          .array(fc.tuple(fc.constantFrom('a', 'b', '1', '__proto__'), tie('text')), { maxLength: 3 })
          .map((members) => `{${members.map(([key, member]) => `"${key}":${member}`).join()}}`),
      ),
    }));
    const limits = fc.record({
      depthMax: fc.nat(3),
      entriesMax: fc.nat(6),
      stringLengthMax: fc.constantFrom(0, 1, 1000),
    });
    // A space before it, and the text is not plain any more.
    fc.assert(
      fc.property(text, fc.oneof(limits, fc.constant(DEFAULT_JSON_LIMITS)), (plain, within) => {
        deepStrictEqual(said(plain, within), said(` ${plain}`, within));
      }),
      { numRuns: 1000 },
    );
  });

  it('never takes what JSON.parse refuses, and never changes what it takes', () => {
    const noise = fc.constantFrom(
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '-',
      '.',
      'e',
      ' ',
      '/',
      '*',
      'n',
      '\u0000',
    );
    fc.assert(
      fc.property(
        value,
        fc.array(fc.tuple(fc.nat(), fc.nat(2), noise), { minLength: 1, maxLength: 3 }),
        (json, edits) => {
          let text = JSON.stringify(json);
          for (const [position, cut, insert] of edits) {
            const at = position % (text.length + 1);
            text = text.slice(0, at) + insert + text.slice(at + cut);
          }
          let taken: Json;
          try {
            taken = parseStrictJson(text);
          } catch (error) {
            expect(error).toBeInstanceOf(QuorateError);
            return;
          }
          deepStrictEqual(taken, JSON.parse(text));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is closed under canonical JSON: what it takes, it takes again as canonical text', () => {
    fc.assert(
      fc.property(value, (json) => {
        const taken = parseStrictJson(JSON.stringify(json));
        deepStrictEqual(parseStrictJson(canonicalJson(taken)), taken);
      }),
    );
  });

  it('takes a number exactly when its shortest text has the same value', () => {
    const exact = (literal: string): [bigint, number] => {
      const [mantissa = '', power = '0'] = literal.toLowerCase().split('e');
      const [integer = '', fraction = ''] = mantissa.split('.');
      return [BigInt(integer + fraction), Number(power) - fraction.length];
    };
    const same = (a: string, b: string): boolean => {
      const [[x, i], [y, j]] = [exact(a), exact(b)];
      const least = Math.min(i, j);
      return x * 10n ** BigInt(i - least) === y * 10n ** BigInt(j - least);
    };
    const literal = fc
      .tuple(
        fc.bigInt({ min: 1n, max: 10n ** 20n }),
        fc.stringMatching(/^\d{0,20}$/),
        fc.integer({ min: -330, max: 310 }),
      )
      .map(
        ([integer, fraction, power]) => `${String(integer)}${fraction === '' ? '' : `.${fraction}`}e${String(power)}`,
      );
    fc.assert(
      fc.property(literal, (text) => {
        const double = Number(text);
        const holds =
          Number.isFinite(double) &&
          (!Number.isInteger(double) || Number.isSafeInteger(double)) &&
          same(text, String(double));
        if (holds) expect(parseStrictJson(text)).toBe(double);
        else expect(['number-out-of-range', 'number-loses-digits']).toContain(reasonFor(text));
      }),
      { numRuns: 500 },
    );
  });
});
