import { isDeepStrictEqual } from 'node:util';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { verifyStateProof, verifyStateProofText, type StateProof } from '../../../src/crypto/state-proof.js';
import type { Json } from '../../../src/wire/json.js';
import { Holding } from '../../support/state-transfer.js';
import { genuineProof, keysInPlaceOf } from '../../vectors/genuine-proof.js';
import { testMembership } from './support.js';

const membership = testMembership(4);

/** Keys of one place, in their order. */
const [first, second, third, fourth, fifth] = keysInPlaceOf('key 0', (index) => `key ${index}`, 5).sort() as [
  string,
  string,
  string,
  string,
  string,
];

describe('a proof of state', () => {
  let state: Holding;

  beforeEach(() => {
    state = new Holding([...Array.from({ length: 50 }, (_, index): [string, Json] => [`other ${index}`, index])]);
    state.write([
      [second, { a: ['é', 0.5, null] }],
      [fourth, false],
    ]);
  });

  const prove = (key: string, signers: readonly number[] = [0, 2, 3]): StateProof =>
    genuineProof(4, state, key, signers);

  const codeOf = (proof: unknown): string => {
    const verdict = verifyStateProof(proof, membership);
    return verdict.valid ? 'genuine' : verdict.code;
  };

  it('shows what a key holds, when, and who says so', () => {
    expect(verifyStateProofText(JSON.stringify(prove(second)), membership)).toEqual({
      valid: true,
      summary: {
        cluster: 'test-4',
        genesisDigest: membership.digestHex,
        epoch: 0,
        key: second,
        found: true,
        value: { a: ['é', 0.5, null] },
        sequence: 128,
        time: 1280,
        replicas: ['replica-1', 'replica-3', 'replica-4'],
      },
    });
  });

  it.each([
    ['before all others of its place', first, null, second],
    ['between two', third, second, fourth],
    ['after all others', fifth, fourth, null],
  ])('shows that a key holds nothing, %s', (_, key, before, after) => {
    const proof = prove(key);
    expect(proof.neighbours?.before?.key ?? null).toBe(before);
    expect(proof.neighbours?.after?.key ?? null).toBe(after);
    const verdict = verifyStateProof(proof, membership);
    expect(verdict).toMatchObject({ valid: true, summary: { key, found: false } });
    expect(verdict.valid && 'value' in verdict.summary).toBe(false);
  });

  it('shows that a key holds nothing where its place is empty', () => {
    state.write([
      [second, undefined],
      [fourth, undefined],
    ]);
    const proof = prove(first);
    expect(proof.hashes).toEqual([]);
    expect(verifyStateProof(proof, membership)).toMatchObject({ valid: true, summary: { found: false } });
  });

  it('is of the checkpoint, whatever was written since', () => {
    state.freeze(128);
    state.write([[second, 'newer']]);
    expect(prove(second).value).toEqual({ a: ['é', 0.5, null] });
  });

  it.each<[string, (proof: StateProof) => object, string]>([
    ['another value', (proof) => ({ ...proof, value: 1 }), 'wrong-value'],
    ['another key', (proof) => ({ ...proof, key: first }), 'wrong-value'],
    ['a time of its own', (proof) => ({ ...proof, checkpoint: { ...proof.checkpoint, time: 1 } }), 'invalid-signature'],
    ['an entry too many', (proof) => ({ ...proof, hashes: [...proof.hashes, 'ab'.repeat(32)] }), 'wrong-value'],
    ['an entry too few', (proof) => ({ ...proof, hashes: proof.hashes.slice(0, 1) }), 'wrong-value'],
    ['another way', (proof) => ({ ...proof, path: [...proof.path].reverse() }), 'wrong-value'],
    ['another cluster', (proof) => ({ ...proof, cluster: 'other' }), 'other-cluster'],
    ['another epoch', (proof) => ({ ...proof, epoch: 1 }), 'other-epoch'],
    ['something besides', (proof) => ({ ...proof, more: 1 }), 'malformed'],
    ['a value, and that there is none', (proof) => ({ ...proof, found: false }), 'malformed'],
    [
      'its own absence',
      ({ value, ...proof }) => ({
        ...proof,
        found: false,
        neighbours: { before: null, after: { key: fourth, value: value ?? false } },
      }),
      'not-absent',
    ],
  ])('is refused with %s', (_, alter, code) => {
    expect(codeOf(alter(prove(second)))).toBe(code);
  });

  it.each<[string, (proof: StateProof) => object]>([
    ['are not those', (proof) => ({ before: proof.neighbours!.after, after: proof.neighbours!.before })],
    ['are one only', (proof) => ({ before: proof.neighbours!.before, after: null })],
    ['do not stand side by side', (proof) => ({ before: null, after: proof.neighbours!.after })],
    ['hold something else', (proof) => ({ ...proof.neighbours, before: { key: second, value: 1 } })],
  ])('of absence is refused when its neighbours %s', (_, alter) => {
    const proof = prove(third);
    expect(codeOf({ ...proof, neighbours: alter(proof) })).toBe('not-absent');
  });

  it('of absence is refused for a key that is there', () => {
    const proof = { ...prove(third), key: second };
    expect(codeOf(proof)).toBe('not-absent');
  });

  it('needs the signatures of q replicas, each of its own', () => {
    const proof = prove(second);
    const { checkpoint } = proof;
    const [one, two, three] = checkpoint.signatures;
    const signed = (...signatures: readonly unknown[]) =>
      codeOf({ ...proof, checkpoint: { ...checkpoint, signatures } });
    expect(signed(one, two)).toBe('too-few-signatures');
    expect(signed(one, two, two)).toBe('repeated-replica');
    expect(signed(one, two, { ...three, replica: 'replica-9' })).toBe('unknown-replica');
    expect(signed(one, two, { ...three, signature: two!.signature })).toBe('invalid-signature');
    expect(signed(one, two, three)).toBe('genuine');
  });

  it.each([second, third])('is refused with any byte altered (%s)', (key) => {
    const proof = prove(key);
    const text = Buffer.from(JSON.stringify(proof));
    for (const place of text.keys()) {
      const altered = Buffer.from(text);
      altered[place] = (altered[place] ?? 0) ^ 1;
      const verdict = verifyStateProofText(altered, membership);
      if (!verdict.valid) continue;
      expect([place, isDeepStrictEqual(JSON.parse(altered.toString('utf8')), proof)]).toEqual([place, true]);
    }
  });
});
