import { sign } from '../../src/crypto/ed25519.js';
import { preamble, type SignedKind } from '../../src/crypto/genesis.js';
import type { StateProof, StateProofFault } from '../../src/crypto/state-proof.js';
import { digestOfCheckpoint } from '../../src/crypto/checkpoint-head.js';
import { digest, sequence } from '../../src/pbft/types.js';
import type { Json } from '../../src/wire/json.js';
import { encodeCheckpoint } from '../../src/wire/views.js';
import { Holding } from '../support/state-transfer.js';
import { testCluster, testMembership } from '../unit/crypto/support.js';
import { genuineProof, keysInPlaceOf } from './genuine-proof.js';
import type { Vector } from './vector.js';

const trickyValue = JSON.parse(
  '{"é":[0.5,1e-7,null,9007199254740991],"😀":"\\u0000\\"\\\\","\\ufb33":{},"":[true,false]}',
) as Json;

/** Keys of one place, in their order: the second and the fourth are there. */
const [first, second, third, fourth, fifth] = keysInPlaceOf('key 0', (index) => `key ${index}`, 5).sort() as [
  string,
  string,
  string,
  string,
  string,
];

/** In one place by UTF-16 code units, not by code points: 😀, then 😁, which is not there, then U+FF5E. */
const [smile] = keysInPlaceOf('wide', (index) => `😀 ${index}`, 1) as [string];
const [grin] = keysInPlaceOf('wide', (index) => `😁 ${index}`, 1) as [string];
const [tilde] = keysInPlaceOf('wide', (index) => `\uff5e ${index}`, 1) as [string];
/** In a place of its own. */
const [alone] = keysInPlaceOf('nobody else is here', (index) => `alone ${index}`, 1) as [string];

/** Sixty-four containers inside one another, as deep as an operation's may be and more. */
const deep = JSON.parse('['.repeat(64) + ']'.repeat(64)) as Json;

function prove(key: string, signers: readonly number[] = [0, 2, 3], n = 4): StateProof {
  const state = new Holding([
    ...Array.from({ length: 50 }, (_, index): [string, Json] => [`other ${index}`, index]),
    [second, trickyValue],
    [fourth, false],
    [smile, 1],
    [tilde, deep],
  ]);
  return genuineProof(n, state, key, signers);
}

function valid(description: string, text: string, n = 4): Vector {
  return { description, membership: `n${n}`, text, expected: { valid: true } };
}

function refused(code: StateProofFault, description: string, altered: string | object): Vector {
  const text = typeof altered === 'string' ? altered : JSON.stringify(altered);
  return { description, membership: 'n4', text, expected: { valid: false, code } };
}

const present = prove(second);
const absent = prove(third);
const text = JSON.stringify(present);

function replaced(from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`the proof has no ${from}`);
  return text.replace(from, to);
}

function withCheckpoint(change: Partial<StateProof['checkpoint']>): StateProof {
  return { ...present, checkpoint: { ...present.checkpoint, ...change } };
}

const { signatures } = present.checkpoint;
const [one, two, three] = signatures as [(typeof signatures)[0], (typeof signatures)[0], (typeof signatures)[0]];

/** The proof, signed by replicas 1, 3 and 4 as something else. */
function signedAs(genesis: Buffer, epoch: number, kind: SignedKind): StateProof {
  const { checkpoint } = present;
  const roots = checkpoint.roots.map((root) => Buffer.from(root, 'hex'));
  const agreed = digest(digestOfCheckpoint({ ...checkpoint, roots }));
  const body = encodeCheckpoint({ sequence: sequence(checkpoint.sequence), digest: agreed });
  const bytes = Buffer.concat([preamble(genesis, epoch, kind), body]);
  const { identities } = testCluster(4);
  return withCheckpoint({
    signatures: signatures.map(({ replica }) => {
      const { privateKey } = identities[Number(replica.at(-1)) - 1]!;
      return { replica, signature: sign(privateKey, bytes).toString('base64') };
    }),
  });
}

const { digest: genesis } = testMembership(4);
const { before, after } = absent.neighbours!;
const { value: _, ...withoutValue } = present;
const zeros = '0'.repeat(64);

const validOnes: readonly (readonly [string, Vector])[] = [
  ['found', valid('A key and its value, which is hard to write canonically.', text)],
  ['found-false', valid('The value false.', JSON.stringify(prove(fourth)))],
  ['found-deep', valid('A value 64 deep.', JSON.stringify(prove(tilde)))],
  [
    'found-n7',
    valid('Seven replicas, five of which have signed.', JSON.stringify(prove(second, [0, 1, 2, 4, 6], 7)), 7),
  ],
  ['all-signatures', valid('All replicas have signed.', JSON.stringify(prove(second, [0, 1, 2, 3])))],
  ['absent-first', valid('A key before all others of its place.', JSON.stringify(prove(first)))],
  ['absent-between', valid('A key between two others.', JSON.stringify(absent))],
  ['absent-last', valid('A key after all others of its place.', JSON.stringify(prove(fifth)))],
  ['absent-alone', valid('A key whose place is empty.', JSON.stringify(prove(alone)))],
  ['absent-utf16', valid('Keys are in the order of UTF-16 code units.', JSON.stringify(prove(grin)))],
  [
    'white-space',
    valid(
      'White space and the order of members do not matter.',
      `\n${JSON.stringify(Object.fromEntries(Object.entries(present).reverse()), null, 2)}\r\n\t `,
    ),
  ],
  ['escapes', valid('Neither do needless escapes.', replaced('"found"', '"\\u0066ound"'))],
  ['number-forms', valid('Nor how a number is written.', replaced('"time":1280', '"time":1.280e3'))],
];

const malformed: readonly (readonly [string, string, string | object])[] = [
  ['empty', 'Nothing.', ''],
  ['no-json', 'Cut off in the middle.', text.slice(0, 100)],
  ['trailing', 'Something after the proof.', `${text}{}`],
  ['array', 'A list of one proof.', [present]],
  ['duplicate-key', 'A key twice, with the same value.', replaced('"epoch":0', '"epoch":0,"epoch":0')],
  ['lone-surrogate', 'Half a surrogate pair.', replaced(JSON.stringify(second), '"\\ud800"')],
  ['unknown-field', 'A field more.', { ...present, note: '' }],
  ['unknown-field-in-checkpoint', 'A field more in the checkpoint.', replaced('"sequence"', '"note":"","sequence"')],
  ['unknown-field-in-signature', 'A field more in a signature.', replaced('{"replica"', '{"note":"","replica"')],
  ['missing-value', 'Found, without a value.', withoutValue],
  ['missing-epoch', 'No epoch.', replaced('"epoch":0,', '')],
  ['missing-path', 'No path.', { ...present, path: undefined }],
  ['found-and-neighbours', 'Found, with neighbours.', { ...present, neighbours: { before: null, after: null } }],
  ['absent-and-value', 'Not found, with a value.', { ...absent, value: null }],
  ['found-no-boolean', 'Found is a number.', { ...present, found: 1 }],
  ['missing-neighbour', 'One neighbour is left out.', { ...absent, neighbours: { before } }],
  [
    'neighbour-without-value',
    'A neighbour without its value.',
    { ...absent, neighbours: { before: { key: first }, after } },
  ],
  ['sequence-zero', 'Sequence numbers begin with 1.', withCheckpoint({ sequence: 0 })],
  ['negative-time', 'A time before 1970.', withCheckpoint({ time: -1 })],
  ['one-root', 'One root.', withCheckpoint({ roots: present.checkpoint.roots.slice(1) })],
  ['three-roots', 'Three roots.', withCheckpoint({ roots: [...present.checkpoint.roots, zeros] })],
  [
    'upper-case-hex',
    'A root in upper case.',
    withCheckpoint({ roots: present.checkpoint.roots.map((root) => root.toUpperCase()) }),
  ],
  ['short-path', 'A path of 43 nodes.', { ...present, path: present.path.slice(1) }],
  ['long-path', 'A path of 45 nodes.', { ...present, path: [...present.path, zeros] }],
  ['too-many-signatures', '65 signatures.', withCheckpoint({ signatures: Array.from({ length: 65 }, () => one) })],
  ['too-deep', 'A value 70 deep.', replaced('"value":{', `"value":${'['.repeat(70)}${']'.repeat(70)},"was":{`)],
  ['key-too-long', 'A key that no state holds.', { ...present, key: 'é'.repeat(40_000) }],
];

const manipulated: readonly (readonly [StateProofFault, string, string, string | object])[] = [
  ['other-cluster', 'other-cluster', 'A proof of another cluster.', { ...present, cluster: 'test-7' }],
  ['other-epoch', 'other-epoch', 'A proof of another epoch.', { ...present, epoch: 1 }],
  ['wrong-value', 'other-value', 'Another value.', { ...present, value: 1 }],
  ['wrong-value', 'value-of-neighbour', 'The value of another key of the place.', { ...present, value: false }],
  ['wrong-value', 'other-key', 'The value under another key.', { ...present, key: first }],
  [
    'wrong-value',
    'value-with-more',
    'A value with more in it.',
    { ...present, value: { ...Object(trickyValue), a: 1 } },
  ],
  ['wrong-value', 'entry-too-many', 'A hash more in the place.', { ...present, hashes: [...present.hashes, zeros] }],
  ['wrong-value', 'entry-too-few', 'A hash less in the place.', { ...present, hashes: present.hashes.slice(0, 1) }],
  [
    'wrong-value',
    'entries-swapped',
    'The hashes in another order.',
    { ...present, hashes: [...present.hashes].reverse() },
  ],
  ['wrong-value', 'other-node', 'Another node in the path.', { ...present, path: [zeros, ...present.path.slice(1)] }],
  ['wrong-value', 'path-reversed', 'The path from the other end.', { ...present, path: [...present.path].reverse() }],
  [
    'wrong-value',
    'roots-swapped',
    'The roots in another order.',
    withCheckpoint({ roots: [...present.checkpoint.roots].reverse() }),
  ],
  [
    'wrong-value',
    'absent-elsewhere',
    'An absent key, in the place of another.',
    { ...absent, key: keyBetweenElsewhere() },
  ],
  ['not-absent', 'absence-of-what-is-there', 'The absence of a key that is there.', { ...absent, key: second }],
  [
    'not-absent',
    'neighbours-swapped',
    'The neighbours swapped.',
    { ...absent, neighbours: { before: after, after: before } },
  ],
  ['not-absent', 'no-after', 'One neighbour is denied.', { ...absent, neighbours: { before, after: null } }],
  ['not-absent', 'no-before', 'The other neighbour is denied.', { ...absent, neighbours: { before: null, after } }],
  [
    'not-absent',
    'no-neighbours',
    'Both neighbours are denied.',
    { ...absent, neighbours: { before: null, after: null } },
  ],
  [
    'not-absent',
    'other-neighbour',
    'A neighbour with another value.',
    { ...absent, neighbours: { before: { key: second, value: 1 }, after } },
  ],
  ['not-absent', 'far-neighbours', 'Neighbours that have the key between them.', farNeighbours()],
  ['invalid-signature', 'other-time', 'Another time.', withCheckpoint({ time: 1281 })],
  ['invalid-signature', 'other-sequence', 'Another sequence number.', withCheckpoint({ sequence: 129 })],
  [
    'invalid-signature',
    'other-second-root',
    'Another reply cache.',
    withCheckpoint({ roots: [present.checkpoint.roots[0]!, zeros] }),
  ],
  ['too-few-signatures', 'no-signatures', 'Nobody has signed.', withCheckpoint({ signatures: [] })],
  [
    'too-few-signatures',
    'f-plus-1-signatures',
    'f+1 replicas have signed: enough for a reply.',
    withCheckpoint({ signatures: [one, two] }),
  ],
  [
    'unknown-replica',
    'unknown-replica',
    'A signer is no replica.',
    withCheckpoint({ signatures: [one, two, { ...three, replica: 'replica-5' }] }),
  ],
  ['repeated-replica', 'repeated-replica', 'One signature twice.', withCheckpoint({ signatures: [one, two, two] })],
  [
    'invalid-signature',
    'other-signer',
    'Another replica’s signature.',
    withCheckpoint({ signatures: [one, two, { ...three, signature: two.signature }] }),
  ],
  [
    'invalid-signature',
    'bad-extra-signature',
    'q valid signatures and an invalid one.',
    withCheckpoint({ signatures: [one, two, three, { ...one, replica: 'replica-2' }] }),
  ],
  ['invalid-signature', 'signed-as-commit', 'Signed as COMMIT.', signedAs(genesis, 0, 'commit')],
  ['invalid-signature', 'signed-in-epoch-1', 'Signed in epoch 1.', signedAs(genesis, 1, 'checkpoint')],
  [
    'invalid-signature',
    'signed-in-another-cluster',
    'Signed by the same keys in another cluster.',
    signedAs(testMembership(7).digest, 0, 'checkpoint'),
  ],
];

/** Between the neighbours by its order, though not by its place. */
function keyBetweenElsewhere(): string {
  return `${second} and more`;
}

/** All that is said holds, but that nobody stands between them. */
function farNeighbours(): StateProof {
  const proof = prove(first);
  return { ...proof, key: third, neighbours: { before: null, after: { key: fourth, value: false } } };
}

/** By the names of their files. */
export function stateProofVectors(): [string, Vector][] {
  const ill = (vector: Vector): Vector => ({ ...vector, membershipText: '{}' });
  const { membership: __, ...illMembership } = ill(refused('invalid-membership', 'A membership that is none.', text));
  return [
    ...validOnes.map(([name, vector]): [string, Vector] => [`valid-${name}`, vector]),
    ...malformed.map(([name, description, altered]): [string, Vector] => {
      return [`invalid-malformed-${name}`, refused('malformed', description, altered)];
    }),
    ...manipulated.map(([code, name, description, altered]): [string, Vector] => {
      return [`invalid-${name}`, refused(code, description, altered)];
    }),
    ['invalid-membership', illMembership],
  ];
}
