import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { membershipDocument } from '../../../src/crypto/membership.js';
import { verifyStateProofText } from '../../../src/crypto/state-proof.js';
import { verifyReceiptText } from '../../../src/crypto/verify-receipt.js';
import { workedExample } from '../../vectors/example.js';
import { invalidVectors } from '../../vectors/invalid-vectors.js';
import { membershipVectors } from '../../vectors/membership-vectors.js';
import { stateProofVectors } from '../../vectors/state-proof-vectors.js';
import { validVectors } from '../../vectors/valid-vectors.js';
import type { Vector } from '../../vectors/vector.js';
import { testMembership } from './support.js';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../vectors');
const receipts = join(folder, 'receipts');
const proofs = join(folder, 'state-proofs');
const memberships = join(folder, 'memberships');
const folders = [receipts, proofs, memberships];

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** Every file there is to be, by its name. */
const files = new Map([
  ...[4, 7].map((n) => [join(memberships, `n${n}.json`), json(membershipDocument(testMembership(n)))] as const),
  ...[...validVectors(), ...invalidVectors(), ...membershipVectors()].map(([name, vector]) => {
    return [join(receipts, `${name}.json`), json(vector)] as const;
  }),
  ...stateProofVectors().map(([name, vector]) => [join(proofs, `${name}.json`), json(vector)] as const),
]);

// `UPDATE_VECTORS=1 npx jest vectors` writes them anew, after a change of format that was meant.
if (process.env.UPDATE_VECTORS === '1') {
  for (const each of folders) {
    rmSync(each, { recursive: true, force: true });
    mkdirSync(each, { recursive: true });
  }
  for (const [file, content] of files) writeFileSync(file, content);
}

const namesIn = (kind: string) => readdirSync(kind).map((file) => file.replace(/\.json$/, ''));
const names = namesIn(receipts);
const namesOfProofs = namesIn(proofs);

function read(kind: string, name: string): Vector {
  return JSON.parse(readFileSync(join(kind, `${name}.json`), 'utf8')) as Vector;
}

function membershipOf({ membership, membershipText }: Vector): string | Buffer {
  return membershipText ?? readFileSync(join(memberships, `${membership ?? ''}.json`));
}

describe('the test vectors of docs/receipts.md and docs/state-proofs.md', () => {
  it('are the ones that the fixed seeds give', () => {
    const present = folders.flatMap((each) => readdirSync(each).map((file) => join(each, file)));
    expect(present.sort()).toEqual([...files.keys()].sort());
    for (const [file, content] of files) expect(readFileSync(file, 'utf8')).toBe(content);
  });

  it.each(names)('%s is judged as expected', (name) => {
    const vector = read(receipts, name);
    expect(verifyReceiptText(vector.text, membershipOf(vector))).toMatchObject(vector.expected);
  });

  it.each(namesOfProofs)('the proof of state %s is judged as expected', (name) => {
    const vector = read(proofs, name);
    expect(verifyStateProofText(vector.text, membershipOf(vector))).toMatchObject(vector.expected);
  });

  it('hold the worked example of the document', () => {
    const document = readFileSync(join(folder, '../../docs/receipts.md'), 'utf8');
    for (const block of workedExample()) expect(document).toContain(block);
    const { steps } = read(receipts, 'valid-n4-size5');
    for (const value of Object.values(steps ?? {})) expect(document).toContain(value);
  });

  it('are judged the same by a verifier written from the documents alone, in Python', () => {
    if (spawnSync('python3', ['--version']).status !== 0) {
      console.warn('no python3 here: the second verifier did not run');
      return;
    }
    const run = spawnSync('python3', [join(folder, 'verify.py'), '--vectors', folder], { encoding: 'utf8' });
    expect(run.stderr).toBe('');
    expect(run.stdout.trim().split('\n').at(-1)).toBe(
      `${names.length + namesOfProofs.length} vectors, all as expected`,
    );
    expect(run.status).toBe(0);
  });
});
