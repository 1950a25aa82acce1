import { ed25519 } from '@noble/curves/ed25519.js';
import type { ReceiptFault } from '../../src/crypto/verify-receipt.js';
import { sign } from '../../src/crypto/ed25519.js';
import { preamble, type SignedKind } from '../../src/crypto/genesis.js';
import { signedWithIdentityPoint, testMembership } from '../unit/crypto/support.js';
import { genuine } from './genuine.js';
import type { Vector } from './vector.js';

/** A JSON object that may be changed. */
type Loose = Record<string, unknown>;

const base = genuine({ n: 4, size: 3, index: 1 });
const groupOrder = ed25519.Point.Fn.ORDER;
const text = JSON.stringify(base.reply);

function copy(value: unknown): Loose {
  return JSON.parse(JSON.stringify(value)) as Loose;
}

function vector(code: ReceiptFault, description: string, altered: string): Vector {
  return { description, membership: 'n4', text: altered, expected: { valid: false, code } };
}

/** The genuine reply, changed; `receipt`, `proof` and `signatures` are parts of it. */
interface Parts {
  readonly reply: Loose;
  readonly receipt: Loose;
  readonly proof: { index: number; size: number; path: string[] };
  readonly signatures: { replica: string; signature: string }[];
}

function changed(change: (parts: Parts) => void): string {
  const reply = copy(base.reply);
  const receipt = reply.receipt as Loose & Pick<Parts, 'proof' | 'signatures'>;
  change({ reply, receipt, proof: receipt.proof, signatures: receipt.signatures });
  return JSON.stringify(reply);
}

function replaced(from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`the reply has no ${from}`);
  return text.replace(from, to);
}

/** Signatures of the first f+1 replicas over another statement than the reply's. */
function signedAs(statement: Buffer): string {
  return changed(({ signatures }) => {
    signatures.length = 0;
    for (const [index, { privateKey }] of base.cluster.identities.slice(0, 2).entries()) {
      signatures.push({ replica: `replica-${index + 1}`, signature: sign(privateKey, statement).toString('base64') });
    }
  });
}

function withPreamble(digest: Buffer, epoch: number, kind: SignedKind): string {
  return signedAs(Buffer.concat([preamble(digest, epoch, kind), base.statement.subarray(51)]));
}

/** R ‖ S becomes R ‖ S + order of the group: the same equation, another text. */
function malleated(signature: string): string {
  const bytes = Buffer.from(signature, 'base64');
  const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + groupOrder;
  return Buffer.concat([
    bytes.subarray(0, 32),
    Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse(),
  ]).toString('base64');
}

/** Stray bits in the last digit of a text that ends with `==`. */
function withStrayBits(base64: string): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const last = digits.indexOf(base64.at(-3) ?? '');
  return `${base64.slice(0, -3)}${digits[last + 1] ?? ''}==`;
}

const malformed: readonly (readonly [string, string, string])[] = [
  ['empty', 'Nothing.', ''],
  ['no-json', 'Cut off in the middle.', text.slice(0, 100)],
  ['trailing', 'Something after the reply.', `${text}{}`],
  ['comment', 'A comment.', `${text}// genuine`],
  ['trailing-comma', 'A comma too many.', replaced('}]}}', '},]}}')],
  ['byte-order-mark', 'A byte order mark.', `\ufeff${text}`],
  ['array', 'A list of one reply.', `[${text}]`],
  ['duplicate-key', 'A key twice, with the same value.', replaced('"view":3', '"view":3,"view":3')],
  ['duplicate-escaped-key', 'A key twice, once escaped.', replaced('"view":3', '"view":3,"\\u0076iew":3')],
  ['duplicate-key-in-result', 'A key twice in the result.', replaced('{"ok":true}', '{"ok":true,"ok":true}')],
  ['lone-surrogate', 'Half a surrogate pair.', replaced('{"ok":true}', '"\\ud800"')],
  ['unknown-field', 'A field more in the reply.', replaced('"client"', '"note":"","client"')],
  ['unknown-field-in-receipt', 'A field more in the receipt.', replaced('"epoch"', '"note":"","epoch"')],
  ['unknown-field-in-proof', 'A field more in the proof.', replaced('"size"', '"note":"","size"')],
  ['unknown-field-in-signature', 'A field more in a signature.', replaced('{"replica"', '{"note":"","replica"')],
  ['proto-field', 'A field called __proto__.', replaced('"client"', '"__proto__":{},"client"')],
  ['missing-result', 'No result.', replaced('"result":{"ok":true},', '')],
  ['missing-epoch', 'No epoch.', replaced('"epoch":0,', '')],
  ['upper-case-hex', 'A digest in upper case.', changed(({ reply }) => (reply.id = String(reply.id).toUpperCase()))],
  ['short-hex', 'A digest of 31 bytes.', changed(({ reply }) => (reply.id = String(reply.id).slice(2)))],
  ['number-as-text', 'A number as text.', replaced('"view":3', '"view":"3"')],
  ['fraction', 'A view between two.', replaced('"view":3', '"view":3.5')],
  ['negative', 'A negative view.', replaced('"view":3', '"view":-3')],
  ['negative-zero', 'Minus zero.', replaced('"epoch":0', '"epoch":-0')],
  ['sequence-zero', 'Sequence numbers begin with 1.', replaced('"sequence":42', '"sequence":0')],
  ['unsafe-integer', 'A number above 2^53−1.', replaced('"timestamp":1001', '"timestamp":9007199254740992')],
  ['rounded-number', 'Digits that a double does not hold.', replaced('"view":3', '"view":3.0000000000000000001')],
  ['infinite-number', 'A number above all doubles.', replaced('{"ok":true}', '1e400')],
  ['unsafe-integer-in-result', 'A result above 2^53−1.', replaced('{"ok":true}', '1e20')],
  ['empty-client', 'A client without a name.', text.replaceAll('"gateway-1"', '""')],
  ['long-client', 'A client’s name of 81 bytes.', text.replaceAll('"gateway-1"', `"${'é'.repeat(40)}x"`)],
  ['size-zero', 'A tree of nothing.', replaced('"size":3', '"size":0')],
  ['size-too-large', 'A tree above the largest batch.', replaced('"size":3', '"size":1025')],
  ['too-deep', 'A result 65 deep.', replaced('{"ok":true}', '['.repeat(65) + ']'.repeat(65))],
  ['base64-unpadded', 'Base64 without padding.', replaced('=="', '"')],
  ['base64-url', 'Base64 of the other alphabet.', replaced('+', '-')],
  [
    'base64-stray-bits',
    'Base64 with bits that do not count.',
    changed(({ signatures }) => {
      for (const each of signatures) each.signature = withStrayBits(each.signature);
    }),
  ],
  ['signature-of-63-bytes', 'A signature of 63 bytes.', shortSignature()],
];

function shortSignature(): string {
  return changed(({ signatures }) => {
    for (const each of signatures) {
      each.signature = Buffer.from(each.signature, 'base64').subarray(1).toString('base64');
    }
  });
}

const refused: readonly (readonly [ReceiptFault, string, string, string])[] = [
  ['other-cluster', 'other-cluster', 'A receipt of another cluster.', replaced('"test-4"', '"test-7"')],
  ['other-epoch', 'other-epoch', 'A receipt of another epoch.', replaced('"epoch":0', '"epoch":1')],
  ...(['id', 'client', 'timestamp', 'view', 'sequence'] as const).map((field) => {
    const another = { id: '0'.repeat(64), client: 'gateway-2', timestamp: 1002, view: 4, sequence: 43 }[field];
    const altered = changed(({ reply }) => (reply[field] = another));
    return ['inconsistent-reply', `other-${field}`, `${field} differs between reply and receipt.`, altered] as const;
  }),
  [
    'wrong-request-digest',
    'other-client-in-both',
    'Somebody else’s request.',
    text.replaceAll('gateway-1', 'gateway-2'),
  ],
  ['wrong-request-digest', 'other-timestamp-in-both', 'Another request.', text.replaceAll(':1001', ':1002')],
  [
    'wrong-request-digest',
    'other-operation',
    'Another operation.',
    changed(({ receipt }) => (receipt.operationDigest = '0'.repeat(64))),
  ],
  ['wrong-result-digest', 'other-result', 'Another result.', replaced('{"ok":true}', '{"ok":false}')],
  [
    'wrong-result-digest',
    'result-with-more',
    'A result with more in it.',
    replaced('{"ok":true}', '{"ok":true,"a":1}'),
  ],
  ['wrong-proof', 'index-beyond-size', 'Leaf 3 of 3.', replaced('"index":1', '"index":3')],
  ['wrong-proof', 'path-too-short', 'A node too few.', changed(({ proof }) => void proof.path.pop())],
  ['wrong-proof', 'path-too-long', 'A node too many.', changed(({ proof }) => void proof.path.push('0'.repeat(64)))],
  [
    'wrong-proof',
    'path-of-another-leaf',
    'The path is too long for the last leaf.',
    changed(({ proof }) => (proof.index = 2)),
  ],
  ['invalid-signature', 'other-index', 'Another leaf of the same depth.', replaced('"index":1', '"index":0')],
  [
    'invalid-signature',
    'other-node',
    'Another node in the path.',
    changed(({ proof }) => (proof.path[0] = '0'.repeat(64))),
  ],
  ['invalid-signature', 'other-size', 'Another size whose path is as long.', replaced('"size":3', '"size":4')],
  ['invalid-signature', 'other-view-in-both', 'Another view.', text.replaceAll('"view":3', '"view":4')],
  ['invalid-signature', 'other-sequence-in-both', 'Another place.', text.replaceAll('"sequence":42', '"sequence":43')],
  [
    'invalid-signature',
    'other-result-digest-of-a-bare-receipt',
    'Another result digest.',
    JSON.stringify({ ...base.reply.receipt, resultDigest: '0'.repeat(64) }),
  ],
  ['too-few-signatures', 'no-signatures', 'Nobody has signed.', changed(({ signatures }) => (signatures.length = 0))],
  ['too-few-signatures', 'f-signatures', 'f replicas have signed.', changed(({ signatures }) => void signatures.pop())],
  ['unknown-replica', 'unknown-replica', 'The signer is no replica.', text.replace('"replica-4"', '"replica-5"')],
  [
    'repeated-replica',
    'repeated-replica',
    'One replica’s signature twice.',
    changed(({ signatures }) => void signatures.splice(1, 1, ...signatures.slice(0, 1))),
  ],
  ['invalid-signature', 'other-signer', 'Another replica’s signature.', text.replace('"replica-4"', '"replica-1"')],
  ['invalid-signature', 'bad-extra-signature', 'f+1 valid signatures and an invalid one.', withBadExtra()],
  ['invalid-signature', 'malleated-signature', 'S is above the order of the group.', withMalleated()],
  ['invalid-signature', 'identity-as-r', 'R is the identity: whoever has the key can make S fit.', withIdentityAsR()],
  ['invalid-signature', 'commit-as-reply', 'Signed as COMMIT.', withPreamble(base.membership.digest, 0, 'commit')],
  ['invalid-signature', 'signed-in-epoch-1', 'Signed in epoch 1.', withPreamble(base.membership.digest, 1, 'reply')],
  [
    'invalid-signature',
    'signed-in-another-cluster',
    'Signed by the same keys in another cluster.',
    withPreamble(testMembership(7).digest, 0, 'reply'),
  ],
];

function withBadExtra(): string {
  return changed(({ signatures }) => {
    signatures.push({ replica: 'replica-1', signature: signatures[0]?.signature ?? '' });
  });
}

function withIdentityAsR(): string {
  return changed(({ signatures }) => {
    for (const each of signatures) {
      each.signature = signedWithIdentityPoint(`test-4 ${each.replica}`, base.statement).toString('base64');
    }
  });
}

function withMalleated(): string {
  return changed(({ signatures }) => {
    for (const each of signatures) each.signature = malleated(each.signature);
  });
}

/** By the names of their files. */
export function invalidVectors(): [string, Vector][] {
  return [
    ...malformed.map(([name, description, altered]): [string, Vector] => {
      return [`invalid-malformed-${name}`, vector('malformed', description, altered)];
    }),
    ...refused.map(([code, name, description, altered]): [string, Vector] => {
      return [`invalid-${name}`, vector(code, description, altered)];
    }),
  ];
}
