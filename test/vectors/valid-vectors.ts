import type { Reply } from '../../src/crypto/receipt.js';
import type { Json } from '../../src/wire/json.js';
import { genuine, type GenuineOptions } from './genuine.js';
import { stepsOf, type Vector } from './vector.js';

/** A result with everything in it that makes canonical JSON hard. */
const trickyResult = JSON.parse(`{
  "ok": true,
  "numbers": [0, -1, 9007199254740991, 0.1, 1e-7, 0.000001, 123.456, 5e-324, 2.5e-10, -1.25, 1e3],
  "text": "\\u0000\\b\\t\\n\\f\\r\\"\\\\/\\u007f\\u2028€😀 ",
  "\\ufb33": "sorts after the next one: by UTF-16 code units, not by code points",
  "😀": "sorts before the one above",
  "é": null,
  "": [],
  "__proto__": {},
  "nested": [[[{ "b": false, "a": [true] }]]]
}`) as Json;

const small = { n: 4, size: 3, index: 1 };

function valid(description: string, options: GenuineOptions, write: (reply: Reply) => string): Vector {
  const made = genuine(options);
  return {
    description,
    membership: `n${options.n}`,
    text: write(made.reply),
    expected: { valid: true },
    steps: stepsOf(made),
  };
}

const whole = (reply: Reply): string => JSON.stringify(reply);
const bare = ({ receipt }: Reply): string => JSON.stringify(receipt);

function inAnotherOrder(reply: Reply): string {
  return `\n${JSON.stringify(Object.fromEntries(Object.entries(reply).reverse()), null, 2)}\r\n\t `;
}

function escaped(reply: Reply): string {
  return whole(reply).replace('"client"', '"\\u0063lient"').replace('"gateway-1"', '"gatewa\\u0079-1"');
}

function withOtherNumbers(reply: Reply): string {
  return whole(reply).replace('"timestamp":1001', '"timestamp":1.001e3').replace('"view":3', '"view":3.0');
}

function bySize(): [string, Vector][] {
  const places = [
    [1, 0],
    [2, 1],
    [3, 2],
    [5, 3],
    [64, 42],
  ] as const;
  return [4, 7].flatMap((n) =>
    places.map(([size, index]): [string, Vector] => {
      const description = `A reply of ${n} replicas: request ${index} of a batch of ${size}, f+1 signatures.`;
      return [`valid-n${n}-size${size}`, valid(description, { n, size, index }, whole)];
    }),
  );
}

/** By the names of their files. */
export function validVectors(): [string, Vector][] {
  return [
    ...bySize(),
    ['valid-bare-receipt-n4', valid('The receipt of a reply, alone.', small, bare)],
    ['valid-bare-receipt-n7', valid('The receipt of a reply, alone.', { n: 7, size: 64, index: 63 }, bare)],
    ['valid-all-signatures', valid('All replicas have signed.', { ...small, n: 7, signers: 7 }, whole)],
    ['valid-null-result', valid('The result null.', { ...small, result: null }, whole)],
    [
      'valid-tricky-result',
      valid('A result that is hard to write canonically.', { ...small, result: trickyResult }, whole),
    ],
    ['valid-white-space', valid('White space and the order of members do not matter.', small, inAnotherOrder)],
    ['valid-escapes', valid('Neither do needless escapes.', small, escaped)],
    ['valid-number-forms', valid('Nor how a number is written, if it is the same number.', small, withOtherNumbers)],
  ];
}
