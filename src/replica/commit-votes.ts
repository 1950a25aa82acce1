import type { PhaseMessage } from '../pbft/messages.js';
import type { Authenticator } from '../wire/authenticator.js';
import type { Opener } from '../wire/envelope.js';
import type { Frame } from '../wire/frame.js';

type Signed = Pick<Frame, 'kind' | 'signer' | 'body' | 'signature'>;

export interface CommitVotesOptions {
  readonly opener: Opener;
  readonly authenticator: Authenticator;
  /** Told who has vouched for a signature that is none. */
  readonly onFalseSignature: (replica: number) => void;
}

/**
 * COMMITs count by the MAC that their sender has made for us, which takes a twentieth of what their signature takes to verify. That one is
 * looked at before anybody else is shown the vote, in a certificate or as evidence. Who was found to vouch for a false one counts by
 * signatures alone from then on: what it can spoil is a few certificates, not the count (docs/protocol.md, rule 6).
 */
export class CommitVotes {
  /** Votes that were counted by a MAC, and not looked at since. */
  private readonly unverified = new WeakMap<PhaseMessage, Signed>();
  private readonly liars = new Set<number>();

  constructor(private readonly options: CommitVotesOptions) {}

  /** Whether the COMMIT in this frame counts by its MAC alone. */
  vouchesFor(frame: Frame): boolean {
    return !this.liars.has(frame.signer) && this.options.authenticator.vouchesFor(frame);
  }

  /** Notes that the vote was counted by the MAC in its frame. */
  count(vote: PhaseMessage, { kind, signer, body, signature }: Frame): void {
    this.unverified.set(vote, { kind, signer, body, signature });
  }

  /** Whether its signer's signature shows everybody that it has said so. */
  isProven(vote: PhaseMessage): boolean {
    const signed = this.unverified.get(vote);
    if (signed === undefined) return true;
    if (this.options.opener.verify(signed)) return this.unverified.delete(vote);
    if (!this.liars.has(signed.signer)) this.options.onFalseSignature(signed.signer);
    this.liars.add(signed.signer);
    return false;
  }
}
