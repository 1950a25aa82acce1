import { MerkleTree } from '../../src/crypto/merkle.js';
import { canonicalJson } from '../../src/wire/json.js';
import { hashOfLeaf } from '../../src/wire/reply.js';
import type { Genuine } from './genuine.js';

/** One file of test/vectors/receipts. */
export interface ReceiptVector {
  readonly description: string;
  /** A file of test/vectors/memberships, without `.json`; absent when `membershipText` is there. */
  readonly membership?: string;
  /** The membership's text. */
  readonly membershipText?: string;
  /** The text that is verified, white space and all. */
  readonly text: string;
  readonly expected: { readonly valid: true } | { readonly valid: false; readonly code: string };
  /** What is computed on the way. */
  readonly steps?: Readonly<Record<string, string>>;
}

/** The steps of a verification, in hexadecimal where they are bytes. */
export function stepsOf({ operation, item, replies, statement, membership, reply }: Genuine): Record<string, string> {
  const { requestDigest, resultDigest } = reply.receipt;
  const hashes = replies.leaves.map(hashOfLeaf);
  return {
    operation: canonicalJson(operation),
    operationDigest: item.operationDigest,
    requestDigest,
    result: canonicalJson(reply.result),
    resultDigest,
    leafHash: hashes[item.index]?.toString('hex') ?? '',
    root: new MerkleTree(hashes).root.toString('hex'),
    genesisDigest: membership.digestHex,
    statement: statement.toString('hex'),
  };
}
