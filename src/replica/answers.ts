import type { RefusalReason } from '../pbft/refusal.js';
import type { Channel, Publication } from '../ports/bus.js';
import type { Opener } from '../wire/envelope.js';
import type { Frame } from '../wire/frame.js';
import { packets } from '../wire/packets.js';
import { Allowance } from './allowance.js';

/**
 * Bytes that each peer is sent because it asks. In a tick twice what one asks for that fetches a state from us, whose ticks
 * may be shorter than ours; at once what the largest answers take together.
 */
const bytesAllowed = { perTick: 2 * 1024 * 1024, atOnce: 16 * 1024 * 1024 };
/** Questions of each peer that are looked into. One that lacks all batches of a view asks for L at once. */
const questionsAllowed = { perTick: 64, atOnce: 2048 };

export interface AnswersOptions {
  readonly opener: Opener;
  announce(publications: readonly Publication[]): void;
}

/**
 * Everything that is sent because one peer needs it passes through here: a question is a few bytes, and its answer may be
 * megabytes, so that whoever asks without end would have a correct replica send without end. Refused questions are asked
 * again by whoever is in earnest. All gateways are one peer: what they ask for costs the replicas no more.
 */
export class Answers {
  private readonly bytes = new Allowance(bytesAllowed);
  private readonly questions = new Allowance(questionsAllowed);

  constructor(private readonly options: AnswersOptions) {}

  tick(): void {
    this.bytes.tick();
    this.questions.tick();
  }

  /** Why a question is not answered. It is put down to who has signed it: what only bears a peer's name takes nothing from that peer. */
  screen(question: Frame): RefusalReason | undefined {
    const { signer } = question;
    if (!this.isLeft(signer)) return 'overloaded';
    if (!this.options.opener.verify(question)) return 'bad-signature';
    return this.questions.take(signer, 1) ? undefined : 'overloaded';
  }

  /** Whether this peer may be sent more. */
  isLeft(peer: number): boolean {
    return this.bytes.isLeft(peer);
  }

  /** Sends at once what one peer needs. */
  send(peer: number, channel: Channel, frames: readonly Buffer[]): void {
    for (const { length } of frames) this.bytes.spend(peer, length);
    this.options.announce(packets(channel, frames));
  }
}
