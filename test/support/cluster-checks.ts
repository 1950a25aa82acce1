import type { Membership } from '../../src/crypto/membership.js';
import { type Ed25519Verifier } from '../../src/crypto/signatures.js';
import type { Channel, SubscriptionListener } from '../../src/ports/bus.js';
import type { Request } from '../../src/pbft/messages.js';
import type { SequenceNumber } from '../../src/pbft/types.js';
import { StateMachineService } from '../../src/replica/state-machine-service.js';
import KeyValueService from '../../src/state-machine/key-value.js';
import { Opener } from '../../src/wire/envelope.js';
import { decoded, splitPacket } from '../../src/wire/frame.js';
import { decodePhaseBody } from '../../src/wire/phase.js';

/** Who has executed what, in all of their lives. */
export class History {
  private readonly executed = new Map<number, Map<string, string[]>>();

  /** The service of one life of a replica, which writes down here what it executes. */
  serviceOf(name: string): StateMachineService {
    return new RecordedService((sequence, what) => {
      const lives = this.executed.get(sequence) ?? new Map<string, string[]>();
      this.executed.set(sequence, lives);
      lives.set(name, [...(lives.get(name) ?? []), what]);
    });
  }

  /** Sequence numbers at which two lives have executed something different. */
  get disagreements(): readonly number[] {
    return [...this.executed]
      .filter(([, lives]) => new Set([...lives.values()].map((what) => what.join('\n'))).size > 1)
      .map(([sequence]) => sequence);
  }
}

class RecordedService extends StateMachineService {
  constructor(private readonly record: (sequence: number, what: string) => void) {
    super(new KeyValueService(), (error) => {
      throw error;
    });
  }

  override execute(request: Request, context: { readonly sequence: SequenceNumber; readonly time: number }) {
    const outcome = super.execute(request, context);
    this.record(context.sequence, `${request.digest} ${outcome.resultDigest} ${context.time}`);
    return outcome;
  }
}

/** Listens to all votes, and keeps those with which a replica contradicts what it has said before, in whatever life. */
export class VoteWatch implements SubscriptionListener {
  static readonly channels: readonly Channel[] = ['pre-prepare', 'prepare', 'commit'];
  /** Genuine frames, as they came. */
  readonly frames: { readonly channel: Channel; readonly bytes: Buffer }[] = [];
  readonly contradictions: string[] = [];
  /** Replicas whose contradictions are none of ours: they are faulty. */
  readonly faulty = new Set<number>();
  private readonly votes = new Map<string, string>();
  private readonly opener: Opener;

  constructor({ digest, epoch, n }: Membership, verifier: Ed25519Verifier) {
    this.opener = new Opener({ genesisDigest: digest, epoch, n }, verifier);
  }

  onPayload(channel: Channel, payload: Buffer): void {
    const frames = splitPacket(payload);
    if (typeof frames === 'string') return;
    for (const bytes of frames) this.onFrame(channel, bytes);
  }

  onConnected(): void {}

  onDisconnected(): void {}

  private onFrame(channel: Channel, bytes: Buffer): void {
    const frame = this.opener.open(bytes, channel);
    if (typeof frame === 'string' || !this.opener.verify(frame)) return;
    const { kind, signer, body } = frame;
    if (kind !== 'pre-prepare' && kind !== 'prepare' && kind !== 'commit') return;
    const vote = decoded(() => decodePhaseBody(kind, signer, body));
    if (vote === 'malformed-frame') return;
    this.frames.push({ channel, bytes });
    const name = `${kind} of ${signer} for ${vote.sequence} in view ${vote.view}`;
    const before = this.votes.get(name);
    if (before !== undefined && before !== vote.digest && !this.faulty.has(signer)) this.contradictions.push(name);
    this.votes.set(name, vote.digest);
  }
}
