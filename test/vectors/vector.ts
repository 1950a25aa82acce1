import { digest } from '../../src/pbft/types.js';
import { canonicalJson } from '../../src/wire/json.js';
import { hashOfLeaf } from '../../src/wire/reply.js';
import type { Genuine } from './genuine.js';

/** One file of test/vectors/receipts or test/vectors/state-proofs. */
export interface Vector {
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
export function stepsOf({ operation, said, statement, membership, reply }: Genuine): Record<string, string> {
  const operationDigest = digest(reply.receipt.operationDigest);
  const requestDigest = digest(reply.receipt.requestDigest);
  const resultDigest = digest(reply.receipt.resultDigest);
  return {
    operation: canonicalJson(operation),
    operationDigest,
    requestDigest,
    result: canonicalJson(reply.result),
    resultDigest,
    leafHash: hashOfLeaf({ requestDigest, resultDigest }).toString('hex'),
    root: said.root,
    genesisDigest: membership.digestHex,
    statement: statement.toString('hex'),
  };
}
