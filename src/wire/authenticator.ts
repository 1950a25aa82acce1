import { preamble } from '../crypto/genesis.js';
import { replicaIndex } from '../pbft/types.js';
import { tagBytes, type SessionKeys } from '../ports/signatures.js';
import type { ClusterContext } from './envelope.js';
import type { Frame } from './frame.js';

/** What a MAC of a COMMIT is over. */
type Signed = Pick<Frame, 'body' | 'signature'>;

/**
 * Makes and checks what is attached to COMMITs on the bus: an authenticator (OSDI '99 §5.2), a MAC for each replica in the membership's
 * order, zeros in the place of the sender's own. Each is over preamble(commit) ‖ body ‖ signature: it vouches for the
 * signature, too, so that one which fits over a false signature is the sender's own lie, and nobody else's.
 */
export class Authenticator {
  private readonly preamble: Buffer;

  constructor(
    private readonly context: ClusterContext,
    private readonly keys: SessionKeys,
    private readonly self: number,
  ) {
    this.preamble = preamble(context.genesisDigest, context.epoch, 'commit');
  }

  /** The authenticator of a COMMIT of ours. */
  of(commit: Signed): Buffer {
    const message = this.messageOf(commit);
    const tags = Buffer.alloc(this.context.n * tagBytes);
    for (let other = 0; other < this.context.n; other++) {
      if (other !== this.self) this.keys.tagFor(replicaIndex(other), message).copy(tags, other * tagBytes);
    }
    return tags;
  }

  /** Whether the signer that the frame names has made it, signature and all. */
  vouchesFor({ signer, body, signature, attachment }: Frame): boolean {
    if (attachment.length !== this.context.n * tagBytes) return false;
    const tag = attachment.subarray(this.self * tagBytes, (this.self + 1) * tagBytes);
    return this.keys.fits(replicaIndex(signer), this.messageOf({ body, signature }), tag);
  }

  private messageOf({ body, signature }: Signed): Buffer {
    return Buffer.concat([this.preamble, body, signature]);
  }
}
