import type { Membership } from '../../crypto/membership.js';
import type { Promised } from '../../pbft/messages.js';
import type { Channel } from '../../ports/bus.js';
import type { LogWrite } from '../../ports/message-log.js';
import { decodeFrame, splitPacket, type Frame } from '../../wire/frame.js';
import { decodePhaseBody } from '../../wire/phase.js';
import { decodeStatus } from '../../wire/service.js';
import { decodeCheckpoint, decodeNewView, decodeViewChange, type Signed } from '../../wire/views.js';
import { sha256 } from '../../crypto/digest.js';
import type { Violations } from './violations.js';

/**
 * What correct replicas say, in all of their lives: never two things of one (kind, view, sequence number), nothing that is
 * not promised and logged before, nothing of a view below one that they have asked for, and no certificate with words in
 * it that its correct signers never said.
 */
export class SpeechChecker {
  /** By kind, signer, view and sequence number: what was said. */
  private readonly said = new Map<string, string>();
  private readonly promised = new Set<string>();
  private readonly written = new Set<string>();
  /** The highest view that each replica has asked for. */
  private readonly asked = new Map<number, number>();
  /** State digests after sequence numbers, as statuses tell them, and those of checkpoints. */
  private readonly states = new Map<number, string>();
  private readonly checkpoints = new Map<number, string>();
  checkpointsSaid = 0;
  highestView = 0;

  constructor(
    private readonly membership: Membership,
    private readonly violations: Violations,
    private readonly isCorrect: (replica: number) => boolean,
  ) {}

  onPromised(replica: number, promises: readonly Promised[]): void {
    for (const { kind, view, sequence, digest } of promises) {
      const asked = this.asked.get(replica) ?? 0;
      const isRepeated = this.promised.has(`${kind} ${replica} ${view} ${sequence} ${digest}`);
      if (view < asked && !isRepeated) {
        const what = `replica ${replica} promises a ${kind} of view ${view} at ${sequence} after it has asked for view ${asked}`;
        this.violations.add('promises', what);
      }
      if (kind === 'view-change') this.asked.set(replica, view);
      this.promised.add(`${kind} ${replica} ${view} ${sequence} ${kind === 'view-change' ? '' : digest}`);
    }
  }

  /** What one replica has written to its log, at some time. */
  onWritten(replica: number, writes: readonly LogWrite[]): void {
    for (const { place, fields } of writes) {
      for (const field of Object.keys(fields))
        if (field.includes(':')) this.written.add(`${replica} ${place} ${field}`);
    }
  }

  onPublished(replica: number, channel: Channel, payload: Buffer): void {
    if (channel === 'request' || channel === 'state' || channel.startsWith('state:') || channel.startsWith('reply:'))
      return;
    const frames = splitPacket(payload);
    if (typeof frames === 'string') return;
    for (const bytes of frames) {
      const frame = decodeFrame(bytes, this.membership.digest);
      // Words of others are passed on, as proof: those were looked at when they were said.
      if (typeof frame !== 'string' && frame.signer === replica) this.onFrame(replica, frame);
    }
  }

  private onFrame(replica: number, frame: Frame): void {
    switch (frame.kind) {
      case 'pre-prepare':
      case 'prepare':
      case 'commit':
        this.onPhase(replica, frame.kind, frame.body);
        break;
      case 'checkpoint':
        this.onCheckpoint(replica, frame.body);
        break;
      case 'view-change':
        this.onViewChange(replica, frame.body);
        break;
      case 'new-view':
        this.onNewView(replica, frame.body);
        break;
      case 'status': {
        const { lastExecuted, stateDigest, notVoting } = decodeStatus(frame.body);
        if (!notVoting.startsWith('the state differs'))
          this.sameState(this.states, lastExecuted, stateDigest, replica, 'status');
        break;
      }
      default:
        break;
    }
  }

  private onPhase(replica: number, kind: 'pre-prepare' | 'prepare' | 'commit', body: Buffer): void {
    const { view, sequence, digest } = decodePhaseBody(kind, replica, body);
    const name = `${kind} ${replica} ${view} ${sequence}`;
    const isNew = this.say(name, digest, replica);
    if (!isNew) return;
    if (!this.promised.has(`${name} ${digest}`)) {
      this.violations.add('persistence', `${name} is sent and not among its promises`);
    }
    const field = kind === 'pre-prepare' ? `${kind}:${view}` : `${kind}:${view}:${this.nameOf(replica)}`;
    if (!this.written.has(`${replica} ${sequence} ${field}`)) {
      this.violations.add('persistence', `${name} is sent and was never written to its log`);
    }
  }

  private onCheckpoint(replica: number, body: Buffer): void {
    const { sequence, digest } = decodeCheckpoint(body);
    if (this.say(`checkpoint ${replica} ${sequence}`, digest, replica)) this.checkpointsSaid++;
    this.sameState(this.checkpoints, sequence, digest, replica, 'checkpoint');
  }

  private onViewChange(replica: number, body: Buffer): void {
    const { view, stable, prepared } = decodeViewChange(body);
    if (!this.say(`view-change ${replica} ${view}`, sha256(body), replica)) return;
    if (!this.promised.has(`view-change ${replica} ${view} 0 `)) {
      this.violations.add('persistence', `replica ${replica} asks for view ${view}, which is not among its promises`);
    }
    const what = `in the VIEW-CHANGE of replica ${replica} for view ${view}`;
    // Its own CHECKPOINT may stand here before it goes out by itself.
    const others = stable.signatures.filter(({ signer }) => signer !== replica);
    if (stable.sequence > 0)
      this.checkQuorum(
        others,
        this.membership.q - (stable.signatures.length - others.length),
        'checkpoint',
        `${stable.sequence}`,
        stable.digest,
        what,
      );
    for (const certificate of prepared) {
      const { view: proposed, sequence, digest, prepares } = certificate;
      const primary = proposed % this.membership.n;
      this.assertSaid('pre-prepare', primary, `${proposed} ${sequence}`, digest, what);
      if (prepares.some(({ signer }) => signer === primary))
        this.violations.add('certificates', `a PREPARE of the primary ${what}`);
      this.checkQuorum(prepares, this.membership.q - 1, 'prepare', `${proposed} ${sequence}`, digest, what);
    }
  }

  private onNewView(replica: number, body: Buffer): void {
    const { view, prePrepares } = decodeNewView(body);
    if (!this.say(`new-view ${replica} ${view}`, sha256(body), replica)) return;
    for (const { sequence, digest } of prePrepares)
      this.say(`pre-prepare ${replica} ${view} ${sequence}`, digest, replica);
    if (view > this.highestView) this.highestView = view;
  }

  /** At least `least` distinct signers, and those that are correct have said so. */
  checkQuorum(
    signed: readonly Pick<Signed, 'signer'>[],
    least: number,
    kind: string,
    place: string,
    digest: string,
    what: string,
    except?: number,
  ): void {
    const signers = new Set(signed.map(({ signer }) => signer));
    if (signers.size < least) {
      this.violations.add('certificates', `${signers.size} ${kind}s of distinct replicas for ${place} ${what}`);
    }
    for (const signer of signers) if (signer !== except) this.assertSaid(kind, signer, place, digest, what);
  }

  private assertSaid(kind: string, signer: number, place: string, digest: string, what: string): void {
    if (!this.isCorrect(signer)) return;
    if (this.said.get(`${kind} ${signer} ${place}`) === digest) return;
    // A PRE-PREPARE of a new view stands inside its NEW-VIEW, and is among the promises like every vote.
    if (this.promised.has(`${kind} ${signer} ${place} ${digest}`)) return;
    this.violations.add('certificates', `a ${kind} of replica ${signer} for ${place} that it never said, ${what}`);
  }

  /** @returns whether it is said for the first time */
  private say(name: string, what: string, replica: number): boolean {
    const before = this.said.get(name);
    if (before === undefined) {
      this.said.set(name, what);
      return true;
    }
    if (before !== what) this.violations.add('promises', `replica ${replica} contradicts itself: ${name}`);
    return false;
  }

  private sameState(
    states: Map<number, string>,
    sequence: number,
    digest: string,
    replica: number,
    where: string,
  ): void {
    const known = states.get(sequence);
    if (known === undefined) states.set(sequence, digest);
    else if (known !== digest) {
      this.violations.add(
        'state-digests',
        `replica ${replica} has another state after ${sequence} than others (${where})`,
      );
    }
  }

  private nameOf(replica: number): string {
    return this.membership.replicas[replica]?.name ?? '';
  }
}
