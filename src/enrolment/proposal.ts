import { z } from 'zod';
import { publicKeyBytes, publicKeyFault } from '../crypto/public-key.js';
import { signatureBytes, verify } from '../crypto/ed25519.js';
import { enrolmentStatement } from '../crypto/enrolment.js';
import { assertSoundGenesis, type Genesis } from '../crypto/membership.js';
import { base64Bytes } from '../crypto/text-forms.js';
import type { KeyObject } from 'node:crypto';
import { QuorateError } from '../errors.js';
import { replicasMax } from '../pbft/quorum.js';
import { namePattern } from '../crypto/genesis.js';

/** One that wants to be a founder: its key, the name it asks for ('' for any), and the authority's admission. */
export interface Candidate {
  readonly name: string;
  readonly publicKey: Buffer;
  readonly enrolment: Buffer;
}

/** A genesis and the admissions of its founders, in its order. */
export interface Proposal {
  readonly genesis: Genesis;
  readonly enrolments: readonly Buffer[];
}

const candidateSchema = z.strictObject({
  name: z.union([z.literal(''), z.string().regex(namePattern)]),
  publicKey: base64Bytes(publicKeyBytes),
  enrolment: base64Bytes(signatureBytes),
});

const proposalSchema = z.strictObject({
  stateMachine: z.string(),
  checkpointInterval: z.number().int().positive(),
  logSize: z.number().int().positive(),
  replicas: z.array(candidateSchema).max(replicasMax),
});

export function encodeCandidate(candidate: Candidate): Buffer {
  return Buffer.from(JSON.stringify(candidateJson(candidate)));
}

/** The candidate in a record, if the authority has admitted it; `undefined` for anything else that was put there. */
export function readCandidate(record: Buffer, cluster: string, authority: KeyObject): Candidate | undefined {
  const parsed = candidateSchema.safeParse(parseJson(record));
  if (!parsed.success || publicKeyFault(parsed.data.publicKey) !== undefined) return undefined;
  const { name, publicKey, enrolment } = parsed.data;
  const statement = enrolmentStatement({ cluster, role: 'replica', publicKey, name });
  return verify(authority, statement, enrolment) ? parsed.data : undefined;
}

/** Asked-for names first, by their natural order; then the others by key, with the free ones of replica-1, replica-2 … */
export function orderFounders(candidates: readonly Candidate[]): Candidate[] {
  const byName = new Intl.Collator('en', { numeric: true });
  const named = candidates.filter(({ name }) => name !== '').sort((a, b) => byName.compare(a.name, b.name));
  const unnamed = candidates.filter(({ name }) => name === '').sort((a, b) => a.publicKey.compare(b.publicKey));
  const taken = new Set(named.map(({ name }) => name));
  let next = 1;
  const allotted = unnamed.map((candidate) => {
    while (taken.has(`replica-${next}`)) next++;
    return { ...candidate, name: `replica-${next++}` };
  });
  return [...named, ...allotted];
}

export function encodeProposal({ genesis, enrolments }: Proposal): Buffer {
  const { stateMachine, checkpointInterval, logSize } = genesis;
  const replicas = genesis.replicas.map(({ name, publicKey }, index) =>
    candidateJson({ name, publicKey, enrolment: enrolments[index] ?? Buffer.alloc(0) }),
  );
  return Buffer.from(JSON.stringify({ stateMachine, checkpointInterval, logSize, replicas }));
}

/** @throws {QuorateError} `enrolment-refused` when it is not a sound genesis of this cluster under this authority */
export function readProposal(bytes: Buffer, cluster: string, authority: Buffer): Proposal {
  const parsed = proposalSchema.safeParse(parseJson(bytes));
  if (!parsed.success) throw new QuorateError('enrolment-refused', 'the proposed genesis is not one');
  const { replicas, ...parameters } = parsed.data;
  const founders = replicas.map(({ name, publicKey }) => ({ name, publicKey }));
  const genesis = { cluster, authority, ...parameters, replicas: founders };
  assertSoundGenesis(genesis);
  return { genesis, enrolments: replicas.map(({ enrolment }) => enrolment) };
}

function candidateJson({ name, publicKey, enrolment }: Candidate): Record<string, string> {
  return { name, publicKey: publicKey.toString('base64'), enrolment: enrolment.toString('base64') };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
