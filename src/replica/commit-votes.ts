import type { PhaseMessage } from '../pbft/messages.js';
import type { Authenticator } from '../wire/authenticator.js';
import type { Opener } from '../wire/envelope.js';
import type { Frame } from '../wire/frame.js';

type Signed = Pick<Frame, 'kind' | 'signer' | 'body' | 'signature'>;

/** Votes of which one is looked at; of more, one of the first so many. */
const countedMax = 4096;

export interface CommitVotesOptions {
  readonly opener: Opener;
  readonly authenticator: Authenticator;
  /** Told who has vouched for a signature that is none. */
  readonly onFalseSignature: (replica: number) => void;
}

/**
 * COMMITs count by the MAC that their sender has made for us, which takes a twentieth of what their signature takes to verify. That one is
 * looked at before anybody else is shown the vote, in a certificate or as evidence, and now and then without need. Who was found to vouch
 * for a false one counts by signatures alone from then on (docs/protocol.md, rule 6).
 */
export class CommitVotes {
  /** Votes that were counted by a MAC and not looked at since, and those found false. */
  private readonly unverified = new WeakMap<PhaseMessage, Signed | 'false'>();
  /** Those that were counted since the last look. */
  private counted: PhaseMessage[] = [];
  private readonly liars = new Set<number>();

  constructor(private readonly options: CommitVotesOptions) {}

  /** Whether the COMMIT in this frame counts by its MAC alone. */
  vouchesFor(frame: Frame): boolean {
    return !this.liars.has(frame.signer) && this.options.authenticator.vouchesFor(frame);
  }

  /** Notes that the vote was counted by the MAC in its frame. */
  count(vote: PhaseMessage, { kind, signer, body, signature }: Frame): void {
    this.unverified.set(vote, { kind, signer, body, signature });
    if (this.counted.length < countedMax) this.counted.push(vote);
  }

  /** Whether its signer's signature shows everybody that it has said so. */
  isProven(vote: PhaseMessage): boolean {
    const signed = this.unverified.get(vote);
    if (signed === undefined) return true;
    if (signed === 'false') return false;
    if (this.options.opener.verify(signed)) return this.unverified.delete(vote);
    this.unverified.set(vote, 'false');
    if (!this.liars.has(signed.signer)) this.options.onFalseSignature(signed.signer);
    this.liars.add(signed.signer);
    return false;
  }

  /**
   * Looks at the signature of one of the votes that were counted since the last look.
   * @param chance which one: a whole number that nobody could know when these votes were sent
   */
  lookAtOne(chance: number): void {
    const vote = this.counted[chance % this.counted.length];
    this.counted = [];
    if (vote !== undefined) this.isProven(vote);
  }
}
