import { isAgreedBatch } from '../client/agreed-batch.js';
import { clientOfKey } from '../client/idempotency-keys.js';
import { sha256 } from '../crypto/digest.js';
import { membershipDocument, parseMembership, type Membership, type MembershipDocument } from '../crypto/membership.js';
import { Ed25519Verifier } from '../crypto/signatures.js';
import {
  verifyStateProof,
  verifyStateProofText,
  type StateProof,
  type StateProofSummary,
} from '../crypto/state-proof.js';
import { verifyReceipt, verifyReceiptText, type ReceiptSummary } from '../crypto/verify-receipt.js';
import { QuorateError } from '../errors.js';
import { Opener } from '../wire/envelope.js';
import { canonicalJsonBytes, type Json } from '../wire/json.js';

/** Whom a client believes: one of the three, and no default, because who guesses here is who can be lied to. */
export interface Trust {
  /** The membership document, known from a source that one trusts (`GET /v1/membership`, `DATA_DIR/membership.json`). */
  readonly membership?: MembershipDocument | string | undefined;
  /** The hexadecimal genesis digest: the membership is asked for and must have it. */
  readonly genesis?: string | undefined;
  /** Believe the membership that the gateway shows now: receipts then protect from this moment on only. */
  readonly trustGateway?: true | undefined;
}

/**
 * The membership that receipts are checked against.
 * @param ask gives the gateway's own membership document
 * @throws {QuorateError} `invalid-setting` when nothing is pinned; `invalid-membership`
 */
export async function pinned(trust: Trust, ask: () => Promise<unknown>): Promise<Membership> {
  const { membership, genesis, trustGateway } = trust;
  if (membership === undefined && genesis === undefined && trustGateway !== true) {
    throw new QuorateError(
      'invalid-setting',
      'pin what receipts are checked against: `membership` or `genesis`, or say `trustGateway: true`',
    );
  }
  const known = parseMembership(membership === undefined ? await ask() : documentOf(membership));
  if (genesis !== undefined) checkGenesis(known, genesis);
  return known;
}

/**
 * What throws `invalid-membership` at a membership that is not the pinned one.
 * @throws {QuorateError} `invalid-membership` when what is pinned contradicts itself
 */
export function pinChecker({ membership, genesis }: Pick<Trust, 'membership' | 'genesis'>): (seen: Membership) => void {
  const known = membership === undefined ? undefined : parseMembership(documentOf(membership));
  if (known !== undefined && genesis !== undefined) checkGenesis(known, genesis);
  const pin = known?.digestHex ?? genesis;
  return (seen) => {
    if (pin !== undefined) checkGenesis(seen, pin);
  };
}

/** @throws {QuorateError} `invalid-membership` */
function checkGenesis({ digestHex }: Membership, pinned: string): void {
  if (digestHex === pinned.toLowerCase()) return;
  throw new QuorateError('invalid-membership', `this is the cluster ${digestHex}, not ${pinned}`, {
    genesis: digestHex,
    pinned,
  });
}

function documentOf(membership: MembershipDocument | string): unknown {
  if (typeof membership !== 'string') return membership;
  try {
    return JSON.parse(membership);
  } catch (error) {
    throw new QuorateError('invalid-membership', 'the membership is not JSON', {}, { cause: error });
  }
}

/** Verifies receipts against one membership. */
export class ReceiptChecker {
  readonly document: MembershipDocument;
  /** 32 bytes. */
  readonly genesisDigest: Uint8Array;
  private readonly opener: Opener;

  constructor(private readonly membership: Membership) {
    const { digest, epoch, n } = membership;
    this.genesisDigest = digest;
    this.opener = new Opener({ genesisDigest: digest, epoch, n }, new Ed25519Verifier(membership));
    this.document = membershipDocument(membership);
  }

  /**
   * Refuses a batch that was not agreed at this sequence number, or not so.
   * @throws {QuorateError} `invalid-certificate`
   */
  checkBatch(claim: Json, sequence: number | undefined): void {
    if (sequence !== undefined && isAgreedBatch(claim, sequence, { membership: this.membership, opener: this.opener }))
      return;
    throw new QuorateError('invalid-certificate', 'a batch without the certificate that it was agreed so', {
      sequence,
    });
  }

  /** @throws {QuorateError} `invalid-receipt` */
  check(receipt: string | object): ReceiptSummary {
    return demandGenuine(
      typeof receipt === 'string'
        ? verifyReceiptText(receipt, this.membership)
        : verifyReceipt(receipt, this.membership),
    );
  }

  /** @throws {QuorateError} `invalid-receipt` */
  checkState(proof: string | object): StateProofSummary {
    return demandGenuine(
      typeof proof === 'string'
        ? verifyStateProofText(proof, this.membership)
        : verifyStateProof(proof, this.membership),
    );
  }

  /**
   * The proof in `text`, if it is genuine and about this key.
   * @throws {QuorateError} `invalid-receipt`
   */
  proofOf(text: string, key: string): StateProof {
    if (this.checkState(text).key === key) return JSON.parse(text) as StateProof;
    throw new QuorateError('invalid-receipt', 'the proof is genuine, but that of another key', { fault: 'other-key' });
  }

  /**
   * As `check`, and it is the reply to this operation under this key: a genuine reply to something else is refused, too.
   * @param text the reply, to the letter
   * @throws {QuorateError} `invalid-receipt`
   */
  checkReply(text: string, operation: Json, idempotencyKey: string): void {
    const summary = this.check(text);
    const isAnswer =
      summary.client === clientOfKey(idempotencyKey) &&
      summary.operationDigest === sha256(canonicalJsonBytes(operation)) &&
      'result' in summary;
    if (!isAnswer) {
      throw new QuorateError('invalid-receipt', 'the receipt is genuine, but that of another request', {
        fault: 'other-request',
      });
    }
  }
}

function demandGenuine<S>(
  verdict:
    | { readonly valid: true; readonly summary: S }
    | { readonly valid: false; readonly code: string; readonly reason: string },
): S {
  if (verdict.valid) return verdict.summary;
  throw new QuorateError('invalid-receipt', verdict.reason, { fault: verdict.code });
}
