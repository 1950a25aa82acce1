import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isCanonicalText } from '../../../src/state-machine/json-value.js';
import { canonicalJson, type Json } from '../../../src/wire/json.js';

const depthMax = 4;

/** What it says, the long way: parse, and write again. */
function isCanonical(text: string): boolean {
  const value = JSON.parse(text) as Json;
  return depthOf(value) <= depthMax && isExact(value) && canonicalJson(value) === text;
}

function depthOf(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values<Json>(value).map(depthOf));
}

function isExact(value: Json): boolean {
  if (typeof value === 'number')
    return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  return typeof value !== 'object' || value === null || Object.values<Json>(value).every(isExact);
}

function tell(text: string): boolean {
  return isCanonicalText(text, JSON.parse(text) as Json, depthMax);
}

describe('whether a text is the canonical one of what was parsed from it', () => {
  it.each([
    ['plain', '{"key":"key-1","op":"put","value":"x"}', true],
    ['with escapes that there must be', '{"a":"\\"\\\\\\n\\u0001"}', true],
    ['with backslashes, as many read as are passed over', '"\\\\\\\\"', true],
    ['with an escape that there need not be', '{"a":"\\u0061"}', false],
    ['with the slash escaped', '"\\/"', false],
    ['with members out of order', '{"b":1,"a":2}', false],
    ['with a member twice', '{"a":1,"a":1}', false],
    ['with whole numbers as keys, in the order of their signs', '{"10":1,"9":2}', true],
    ['with whole numbers as keys, in JavaScript’s order', '{"9":2,"10":1}', false],
    ['with a key that means something to JavaScript', '{"__proto__":1,"a":2}', true],
    ['with white space', '{"a": 1}', false],
    ['with white space behind', '1 ', false],
    ['with a number in another way', '[1.0]', false],
    ['with −0', '[-0]', false],
    ['with an integer that a double does not hold', '[9007199254740993]', false],
    ['with a number that begins like its own text', '[10,1,100]', true],
    ['nested as deep as allowed', '[[[[]]]]', true],
    ['nested deeper', '[[[[[]]]]]', false],
    ['empty', '{"":"","a":[],"b":{},"c":null,"d":true,"e":false}', true],
  ])('%s', (_, text, isIt) => {
    expect(tell(text)).toBe(isIt);
    expect(isCanonical(text)).toBe(isIt);
  });

  it('is told as by writing it again, whatever is written, and whatever is changed in it', () => {
    const property = fc.property(
      fc.jsonValue({ maxDepth: 5 }),
      fc.nat(),
      fc.constantFrom('', ' ', '0', 'u', '\\', ','),
      (value, place, sign) => {
        const text = canonicalJson(value as Json);
        expect(tell(text)).toBe(isCanonical(text));
        const at = place % (text.length + 1);
        const changed = [text.slice(0, at) + sign + text.slice(at), text.slice(0, at) + sign + text.slice(at + 1)];
        for (const other of changed)
          if (isJson(other)) expect([other, tell(other)]).toEqual([other, isCanonical(other)]);
      },
    );
    fc.assert(property, { numRuns: 2_000 });
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return !/\\u[dD]/.test(text); // half a surrogate pair has no canonical text
  } catch {
    return false;
  }
}
