import { describe, expect, it } from '@jest/globals';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { canonicalJson, type Json } from '../../../src/wire/json.js';

/** What our own way of writing it must never part from. */
const reference = (value: unknown): string => canonicalize(value) as string;

describe('canonical JSON (RFC 8785)', () => {
  it('is what the reference writes, of any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        expect(canonicalJson(value as Json)).toBe(reference(value));
      }),
    );
  });

  it('does not depend on the order in which members were written', () => {
    const keys = fc.uniqueArray(fc.oneof(fc.string({ unit: 'binary' }), fc.nat().map(String)), { maxLength: 12 });
    fc.assert(
      fc.property(keys, (names) => {
        const forwards = Object.fromEntries(names.map((name) => [name, 1]));
        const backwards = Object.fromEntries(names.toReversed().map((name) => [name, 1]));
        expect(canonicalJson(forwards)).toBe(canonicalJson(backwards));
        expect(canonicalJson(forwards)).toBe(reference(forwards));
      }),
    );
  });

  it.each([
    ['keys that JavaScript puts in an order of its own', { 10: 1, 9: 2, a: 3 }, '{"10":1,"9":2,"a":3}'],
    [
      'keys beyond the basic plane, by their UTF-16 units',
      { '\ufb33': 1, '\u{1f600}': 2 },
      '{"\u{1f600}":2,"\ufb33":1}',
    ],
    ['a key that every object seems to have', JSON.parse('{"__proto__":1}'), '{"__proto__":1}'],
    ['such a key out of order', JSON.parse('{"a":2,"__proto__":{"c":1,"b":2}}'), '{"__proto__":{"b":2,"c":1},"a":2}'],
    [
      'members out of order in members out of order',
      { b: { d: [{ f: 1, e: 2 }], c: 3 }, a: 4 },
      '{"a":4,"b":{"c":3,"d":[{"e":2,"f":1}]}}',
    ],
    ['keys that JavaScript puts in an order of its own, out of order', { b: 1, 10: 2, '-': 3 }, '{"-":3,"10":2,"b":1}'],
    [
      'a member out of order that has a text of its own',
      { b: new Date(0), a: 1 },
      '{"a":1,"b":"1970-01-01T00:00:00.000Z"}',
    ],
    ['text to be escaped, out of order', { b: '"\\ \n\x7f', 'a"': 'é' }, '{"a\\"":"é","b":"\\"\\\\ \\n\x7f"}'],
    ['minus nought', [-0], '[0]'],
    ['text that looks like an escaped surrogate', '\\ud800', '"\\\\ud800"'],
    ['members that are not there', { b: undefined, a: 1 }, '{"a":1}'],
    ['only members that are not there', { b: undefined, a: undefined }, '{}'],
  ])('writes %s', (_, value, text) => {
    expect(canonicalJson(value as Json)).toBe(text);
  });

  it.each([
    ['NaN', NaN],
    ['a function', { a: () => 1 }],
    ['a function out of order', { b: () => 1, a: 1 }],
    ['infinity', [Infinity]],
    ['NaN out of order', { b: NaN, a: 1 }],
    ['half a pair out of order', { b: '\ud800', a: 1 }],
    ['half a pair', '\ud800'],
    ['a key of half a pair', { '\udc00': 1 }],
  ])('refuses %s', (_, value) => {
    expect(() => canonicalJson(value as Json)).toThrow();
  });
});
