import { Writer } from '../wire/bytes.js';
import { sha256Bytes } from './digest.js';

const genesisDomain = Buffer.from('quorate/1/genesis\0', 'ascii');
const messageDomain = Buffer.from('quorate/1\0', 'ascii');

/** What a replica or a gateway may be called. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;

/** What the n founders agree on and sign; it names the cluster for ever (rule 36). */
export interface Genesis {
  readonly cluster: string;
  /** Raw public key that admits replicas and gateways. */
  readonly authority: Buffer;
  /** `StateMachine.name`: replicas that run different machines never form one cluster. */
  readonly stateMachine: string;
  /** K, in sequence numbers. */
  readonly checkpointInterval: number;
  /** L, in sequence numbers. */
  readonly logSize: number;
  /** In the order that decides who is primary of which view. */
  readonly replicas: readonly { readonly name: string; readonly publicKey: Buffer }[];
}

/** The kinds of signed bytes: the last byte of the preamble, so that none passes for another (rule 6). */
export const signedKinds = {
  genesis: 0,
  request: 1,
  'pre-prepare': 2,
  prepare: 3,
  commit: 4,
  reply: 5,
  checkpoint: 6,
  'view-change': 7,
  'new-view': 8,
  status: 9,
  fetch: 10,
  decided: 11,
  query: 12,
  'query-reply': 13,
  'fetch-batch': 14,
  batch: 15,
  'fetch-state': 16,
  'state-chunk': 17,
  prove: 18,
  proof: 19,
} as const;

export type SignedKind = keyof typeof signedKinds;

/** The one encoding of a genesis. */
export function genesisBytes(genesis: Genesis): Buffer {
  const writer = new Writer()
    .raw(genesisDomain)
    .text(genesis.cluster)
    .raw(genesis.authority)
    .text(genesis.stateMachine)
    .u32(genesis.checkpointInterval)
    .u32(genesis.logSize);
  return writer.list(genesis.replicas, ({ name, publicKey }) => writer.text(name).raw(publicKey)).done();
}

/** SHA-256 of the genesis bytes, 32 bytes. */
export function genesisDigest(genesis: Genesis): Buffer {
  return sha256Bytes(genesisBytes(genesis));
}

/**
 * What everything signed begins with, 51 bytes: domain tag, the cluster's genesis digest, membership epoch, kind. So
 * no signature counts in another cluster, epoch or role (rule 6). A founder signs `preamble(…, 0, 'genesis')` alone.
 */
export function preamble(genesisDigest: Uint8Array, epoch: number, kind: SignedKind): Buffer {
  return new Writer().raw(messageDomain).raw(genesisDigest).u64(epoch).u8(signedKinds[kind]).done();
}
