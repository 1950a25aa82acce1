import { describe, expect, it } from '@jest/globals';
import { QuorateError } from '../../src/errors.js';
import {
  DEFAULT_JSON_LIMITS,
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
