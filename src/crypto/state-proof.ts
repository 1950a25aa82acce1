import { z } from 'zod';
import { QuorateError } from '../errors.js';
import { digest, sequence as sequenceOf } from '../pbft/types.js';
import { Writer } from '../wire/bytes.js';
import { canonicalJsonBytes, type Json } from '../wire/json.js';
import { parseStrictJson, parseStrictJsonBytes, type JsonLimits } from '../wire/strict-json.js';
import { encodeCheckpoint } from '../wire/views.js';
import { digestOfCheckpoint } from './checkpoint-head.js';
import { sha256Bytes } from './digest.js';
import { signatureBytes } from './ed25519.js';
import { preamble } from './genesis.js';
import { Membership, parseMembership } from './membership.js';
import { leafHash } from './merkle.js';
import { rootOfWay, stateTreeWayLength } from './state-tree.js';
import { base64Bytes, firstIssue, hexBytes, wholeNumber } from './text-forms.js';
import { demand, Refused, signersOf, type SignatureFault } from './verdict.js';

/** A key's place in the tree of a state is given by so many first bits of its SHA-256. */
const placeBits = 14;
/** Keys in one place, as replicas limit them. */
const placeEntriesMax = 65_536;
/** Bytes of a file that is verified: the longest list of hashes, and two neighbours. */
const stateProofBytesMax = 8 * 1024 * 1024;
/** Bytes of a membership's text, as where a receipt is verified. */
const membershipBytesMax = 1024 * 1024;
const entryPrefix = 0x02;
const jsonLimits: JsonLimits = { depthMax: 70, entriesMax: 2 * placeEntriesMax, stringLengthMax: 65_536 };

/** A key with its value, or that there is none, in the state of a checkpoint that a quorum of replicas has signed. */
export interface StateProof {
  readonly cluster: string;
  readonly epoch: number;
  readonly key: string;
  readonly found: boolean;
  /** There when it was found. */
  readonly value?: Json | undefined;
  readonly checkpoint: {
    /** The state is the one after this sequence number. */
    readonly sequence: number;
    /** Agreed time then, milliseconds since 1970. */
    readonly time: number;
    /** Digests of the state, and of the reply cache beside it, in hexadecimal. */
    readonly roots: readonly string[];
    /** Of CHECKPOINT, by q replicas; base64. */
    readonly signatures: readonly { readonly replica: string; readonly signature: string }[];
  };
  /** Hashes of all entries in the key's place of the tree, in the order of their keys. */
  readonly hashes: readonly string[];
  /** The hashes beside the way from there to the root, from below, each level's from the left. */
  readonly path: readonly string[];
  /** There when the key was not found: the entries between which it would be. */
  readonly neighbours?:
    | {
        readonly before: { readonly key: string; readonly value: Json } | null;
        readonly after: { readonly key: string; readonly value: Json } | null;
      }
    | undefined;
}

/** Why a proof is refused. Codes are stable, and checked in the order of docs/state-proofs.md. */
export type StateProofFault =
  'invalid-membership' | 'malformed' | 'other-cluster' | 'other-epoch' | 'wrong-value' | 'not-absent' | SignatureFault;

/** What a genuine proof proves. */
export interface StateProofSummary {
  readonly cluster: string;
  readonly genesisDigest: string;
  readonly epoch: number;
  readonly key: string;
  readonly found: boolean;
  readonly value?: Json;
  readonly sequence: number;
  readonly time: number;
  /** Who has signed that checkpoint; at least q. */
  readonly replicas: readonly string[];
}

export type StateProofVerdict =
  | { readonly valid: true; readonly summary: StateProofSummary }
  | { readonly valid: false; readonly code: StateProofFault; readonly reason: string };

const entrySchema = z.strictObject({ key: z.string(), value: z.json() });

const proofSchema = z.strictObject({
  cluster: z.string(),
  epoch: wholeNumber(0),
  key: z.string(),
  found: z.boolean(),
  value: z.json().optional(),
  checkpoint: z.strictObject({
    sequence: wholeNumber(1),
    time: wholeNumber(0),
    roots: z.array(hexBytes(32)).length(2),
    signatures: z.array(z.strictObject({ replica: z.string(), signature: base64Bytes(signatureBytes) })).max(64),
  }),
  hashes: z.array(hexBytes(32)).max(placeEntriesMax),
  path: z.array(hexBytes(32)).length(stateTreeWayLength),
  neighbours: z.strictObject({ before: entrySchema.nullable(), after: entrySchema.nullable() }).optional(),
});

type ParsedProof = z.output<typeof proofSchema>;

/** Whether this is a proof of state rather than a receipt, by its form alone. */
export function looksLikeStateProof(json: unknown): boolean {
  return typeof json === 'object' && json !== null && Object.hasOwn(json, 'checkpoint');
}

/**
 * Whether a proof is genuine: needs nothing but the proof and the membership, and trusts neither gateway nor Redis.
 * @param proof the text that `GET /v1/state/{key}` gave
 * @param membership the text that `GET /v1/membership` gave, or what was read from it
 */
export function verifyStateProofText(
  proof: string | Uint8Array,
  membership: string | Uint8Array | Membership,
): StateProofVerdict {
  let members: Membership;
  try {
    members = membership instanceof Membership ? membership : parseMembership(parsed(membership, membershipBytesMax));
  } catch (error) {
    return refusal(error, 'invalid-membership');
  }
  try {
    return verifyStateProof(parsed(proof, stateProofBytesMax), members);
  } catch (error) {
    return refusal(error, 'malformed');
  }
}

/** As `verifyStateProofText`, for what is parsed already. */
export function verifyStateProof(json: unknown, membership: Membership): StateProofVerdict {
  try {
    const result = proofSchema.safeParse(json);
    if (!result.success) throw new Refused('malformed', firstIssue(result.error));
    const proof = result.data;
    const { cluster, epoch, key, found, checkpoint } = proof;
    demand(found === (proof.value !== undefined), 'malformed', 'there is a value just where the key was found');
    demand(found === (proof.neighbours === undefined), 'malformed', 'there are neighbours just where it was not');
    demand(cluster === membership.genesis.cluster, 'other-cluster', 'it is a proof of another cluster');
    demand(epoch === membership.epoch, 'other-epoch', `the membership is that of epoch ${String(membership.epoch)}`);
    if (proof.value !== undefined) checkPresence(proof, proof.value);
    else checkAbsence(proof);
    const replicas = signersOf(checkpoint.signatures, membership, statementOf(proof, membership), membership.q);
    const { sequence, time } = checkpoint;
    const value = proof.value === undefined ? {} : { value: proof.value as Json };
    const genesisDigest = membership.digestHex;
    return { valid: true, summary: { cluster, genesisDigest, epoch, key, found, ...value, sequence, time, replicas } };
  } catch (error) {
    if (error instanceof Refused) return { valid: false, code: error.code as StateProofFault, reason: error.message };
    throw error;
  }
}

function refusal(error: unknown, code: StateProofFault): StateProofVerdict {
  if (error instanceof QuorateError) return { valid: false, code, reason: error.message };
  throw error;
}

function parsed(text: string | Uint8Array, bytesMax: number): Json {
  const bytes = typeof text === 'string' ? Buffer.byteLength(text) : text.length;
  if (bytes > bytesMax) {
    throw new QuorateError('invalid-receipt', `The file is over ${String(bytesMax)} bytes.`);
  }
  return typeof text === 'string' ? parseStrictJson(text, jsonLimits) : parseStrictJsonBytes(text, jsonLimits);
}

/** SHA-256(0x02 ‖ str key ‖ canonical JSON): what an entry of the state counts in its place. */
function hashOfEntry(key: string, value: unknown): Buffer {
  demand(key.isWellFormed() && Buffer.byteLength(key) <= 0xffff, 'malformed', 'a key is no text that a state holds');
  return sha256Bytes(
    new Writer()
      .u8(entryPrefix)
      .text(key)
      .raw(canonicalJsonBytes(value as Json))
      .done(),
  );
}

function checkPresence({ key, hashes }: ParsedProof, value: unknown): void {
  const hash = hashOfEntry(key, value);
  demand(
    hashes.some((one) => one.equals(hash)),
    'wrong-value',
    'the key with this value is not in its place',
  );
}

/** The entries of a place are in the order of their keys, so that who stand side by side have nobody between them. */
function checkAbsence({ key, hashes, neighbours }: ParsedProof): void {
  const { before = null, after = null } = neighbours ?? {};
  const ordered = (before === null || before.key < key) && (after === null || key < after.key);
  demand(ordered, 'not-absent', 'the key does not lie between its neighbours');
  const place = before === null ? 0 : 1 + hashes.findIndex((one) => one.equals(hashOfEntry(before.key, before.value)));
  demand(before === null || place > 0, 'not-absent', 'the neighbour before is not there');
  const next = hashes[place];
  const isNext = after === null ? next === undefined : next?.equals(hashOfEntry(after.key, after.value)) === true;
  demand(isNext, 'not-absent', 'the neighbours do not stand side by side');
}

/** What the replicas have signed, if all of this is so. */
function statementOf({ key, hashes, path, checkpoint }: ParsedProof, membership: Membership): Buffer {
  const place = sha256Bytes(Buffer.from(key)).readUInt16BE(0) >>> (16 - placeBits);
  const root = rootOfWay(place, leafHash(Buffer.concat(hashes)), path);
  const { sequence, time, roots } = checkpoint;
  demand(roots[0]?.equals(root) === true, 'wrong-value', 'the way from the place does not lead to the root');
  const body = encodeCheckpoint({
    sequence: sequenceOf(sequence),
    digest: digest(digestOfCheckpoint({ sequence, time, roots })),
  });
  return Buffer.concat([preamble(membership.digest, membership.epoch, 'checkpoint'), body]);
}
