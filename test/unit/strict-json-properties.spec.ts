import { deepStrictEqual } from 'node:assert/strict';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { QuorateError } from '../../src/errors.js';
import { canonicalJson, type Json } from '../../src/wire/json.js';
import { DEFAULT_JSON_LIMITS, type JsonLimits, parseStrictJson } from '../../src/wire/strict-json.js';

/** The value of a text, or why it is refused. */
function said(text: string, limits: JsonLimits = DEFAULT_JSON_LIMITS): unknown {
  try {
    return parseStrictJson(text, limits);
  } catch (error) {
    if (!(error instanceof QuorateError)) throw error;
    expect(error.code).toBe('invalid-request');
    return error.details.reason;
  }
}

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
        else expect(['number-out-of-range', 'number-loses-digits']).toContain(said(text));
      }),
      { numRuns: 500 },
    );
  });
});
