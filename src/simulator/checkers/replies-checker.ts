import { rootFromPath } from '../../crypto/merkle.js';
import type { Membership } from '../../crypto/membership.js';
import { replyStatement, type Reply } from '../../crypto/receipt.js';
import { verifyReceipt } from '../../crypto/verify-receipt.js';
import { digest, sequence as asSequence, view as asView } from '../../pbft/types.js';
import type { Verifier } from '../../ports/signatures.js';
import { canonicalJson, type Json } from '../../wire/json.js';
import { hashOfLeaf } from '../../wire/reply.js';
import type { ExecutionChecker } from './execution-checker.js';
import { KeyValueModel } from './key-value-model.js';
import type { Violations } from './violations.js';

/** One operation of a correct client, as the client saw it. */
export interface Observed {
  readonly what: string;
  /** When it was submitted and answered, virtual milliseconds. */
  readonly start: number;
  readonly end: number;
  /** An ordered operation's reply. */
  readonly reply?: Reply;
  /** Sent under an idempotency key: its reply may be one that was given long ago. */
  readonly isKeyed?: boolean;
  /** A read past the order: the key, and what was answered; `undefined` for nothing. */
  readonly read?: { readonly key: string; readonly value: Json | undefined };
}

/** Positions of requests in the total order: the place in the list of everything that was executed, from 1 on. */
type Positions = ReadonlyMap<string, number>;

/**
 * What correct clients were told. Each receipt stands for itself and for what correct replicas have executed; results are
 * those of a key-value map of its own that executes the agreed order; and there is one order of everything that fits to
 * when operations began and ended (linearizability), reads past the order included.
 */
export class RepliesChecker {
  readonly observed: Observed[] = [];

  constructor(
    private readonly membership: Membership,
    private readonly verifier: Verifier,
    private readonly isReal: boolean,
    private readonly execution: ExecutionChecker,
    private readonly violations: Violations,
  ) {}

  onReply(observed: Observed): void {
    this.observed.push(observed);
    const { reply, what } = observed;
    if (reply === undefined) return;
    if (!this.isGenuine(reply)) this.violations.add('certificates', `the receipt for ${what} does not verify`);
    const executed = this.execution.order.get(reply.sequence)?.find((request) => request.digest === reply.id);
    if (executed === undefined) {
      this.violations.add(
        'durability',
        `${what} is acknowledged at ${reply.sequence}, where no correct replica has executed it`,
      );
    } else if (executed.resultDigest !== reply.receipt.resultDigest) {
      this.violations.add('certificates', `${what} is acknowledged with another result than correct replicas have`);
    }
  }

  /** At the end, when the order is whole. */
  finish(): void {
    const model = new KeyValueModel();
    const positions = new Map<string, number>();
    const results = new Map<string, string>();
    for (let place = 1; place <= this.execution.last; place++) {
      for (const { digest: id, operation } of this.execution.order.get(place) ?? []) {
        results.set(id, canonicalJson(model.apply(JSON.parse(Buffer.from(operation).toString('utf8')) as Json)));
        positions.set(id, model.position);
      }
    }
    for (const { reply, what } of this.observed) {
      if (reply !== undefined && results.get(reply.id) !== canonicalJson(reply.result)) {
        this.violations.add(
          'linearizability',
          `${what} is answered ${canonicalJson(reply.result)}, in order it gives ${results.get(reply.id) ?? 'nothing'}`,
        );
      }
    }
    this.checkOrder(model, positions);
  }

  /**
   * The order of ordered operations is given; reads take the earliest position that fits. An operation that began after
   * another had ended stands behind it.
   */
  private checkOrder(model: KeyValueModel, positions: Positions): void {
    const byStart = [...this.observed].sort((a, b) => a.start - b.start);
    const ended: { readonly end: number; readonly position: number }[] = [];
    for (const operation of byStart) {
      const before = ended.filter(({ end }) => end < operation.start);
      const floor = before.reduce((highest, { position }) => Math.max(highest, position), 0);
      const position = this.positionOf(operation, floor, model, positions);
      if (position === undefined) {
        this.violations.add(
          'linearizability',
          `${operation.what}: what it was answered was not so any more after position ${floor}`,
        );
        return;
      }
      ended.push({ end: operation.end, position });
    }
  }

  private positionOf(
    { reply, read, isKeyed }: Observed,
    floor: number,
    model: KeyValueModel,
    positions: Positions,
  ): number | undefined {
    if (isKeyed === true) return 0;
    if (reply !== undefined) {
      const position = positions.get(reply.id);
      return position !== undefined && position >= floor ? position : undefined;
    }
    if (read === undefined) return floor;
    return model.earliest(read.key, read.value === undefined ? undefined : canonicalJson(read.value), floor);
  }

  private isGenuine({ receipt, ...reply }: Reply): boolean {
    if (this.isReal) return verifyReceipt({ ...reply, receipt }, this.membership).valid;
    const { proof, view, sequence } = receipt;
    const leaf = hashOfLeaf({
      requestDigest: digest(receipt.requestDigest),
      resultDigest: digest(receipt.resultDigest),
    });
    const root = rootFromPath(
      leaf,
      proof.index,
      proof.size,
      proof.path.map((node) => Buffer.from(node, 'hex')),
    );
    if (root === undefined || reply.id !== receipt.requestDigest || reply.sequence !== sequence) return false;
    const statement = replyStatement(this.membership, {
      view: asView(view),
      sequence: asSequence(sequence),
      size: proof.size,
      root: digest(root.toString('hex')),
    });
    const signers = new Set(receipt.signatures.map(({ replica }) => replica));
    const isSigned = receipt.signatures.every(({ replica, signature }) => {
      const index = this.membership.indexOf(replica);
      return index !== undefined && this.verifier.verifyReplica(index, statement, Buffer.from(signature, 'base64'));
    });
    return isSigned && signers.size === receipt.signatures.length && signers.size > this.membership.f;
  }
}
