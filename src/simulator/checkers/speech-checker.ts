import type { Membership } from '../../crypto/membership.js';
import type { Promised, StableCheckpoint } from '../../pbft/messages.js';
import type { Channel } from '../../ports/bus.js';
import type { LogWrite } from '../../ports/message-log.js';
import { decodeFrame, splitPacket, type Frame } from '../../wire/frame.js';
import { decodePhaseBody } from '../../wire/phase.js';
import { decodeReplyBody } from '../../wire/reply.js';
import { decodeCertificate, decodeStatus } from '../../wire/service.js';
import {
  decodeCheckpoint,
  decodeNewView,
  decodeViewChange,
  type Signed,
  type ViewChangeBody,
  type CheckpointBody,
} from '../../wire/views.js';
import { sha256 } from '../../crypto/digest.js';
import { asBuffer } from '../simulated-redis.js';
import { AskedViews } from './asked-views.js';
import { KeptCommits } from './kept-commits.js';
import type { Violations } from './violations.js';

/** The first byte of replies that are given for the first time (wire/reply.ts). */
const freshReplies = 0;

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
  /** The highest view whose NEW-VIEW a replica has written to its log, at some time. */
  private readonly viewWritten = new Map<number, number>();
  private readonly asked: AskedViews;
  /** State digests after sequence numbers, as statuses tell them, and those of checkpoints. */
  private readonly states = new Map<number, string>();
  private readonly checkpoints = new Map<number, string>();
  /** By replica and sequence number: the highest view in which it has promised a COMMIT. */
  private readonly committed = new Map<number, Map<number, number>>();
  private readonly keptCommits: KeptCommits;
  /** Each one's highest stable checkpoint ever: what lies below may be removed before it was written. */
  private readonly stableAt = new Map<number, number>();
  private readonly stablesSeen = new WeakSet<StableCheckpoint>();
  checkpointsSaid = 0;
  highestView = 0;

  constructor(
    private readonly membership: Membership,
    private readonly violations: Violations,
    private readonly isCorrect: (replica: number) => boolean,
    /** Told what a replica has answered for the first time. */
    private readonly onAnswered: (replica: number, sequence: number) => void,
  ) {
    this.keptCommits = new KeptCommits(membership.q, violations);
    this.asked = new AskedViews(membership, violations, isCorrect);
  }

  onPromised(replica: number, promises: readonly Promised[]): void {
    for (const { kind, view, sequence, digest } of promises) {
      const asked = this.asked.of(replica);
      const isRepeated = this.promised.has(`${kind} ${replica} ${view} ${sequence} ${digest}`);
      if (view < asked && !isRepeated) {
        const what = `replica ${replica} promises a ${kind} of view ${view} at ${sequence} after it has asked for view ${asked}`;
        this.violations.add('promises', what);
      }
      if (kind === 'view-change') this.asked.onAsked(replica, view);
      if (kind === 'commit') {
        const places = this.committed.get(replica) ?? new Map<number, number>();
        this.committed.set(replica, places.set(sequence, Math.max(view, places.get(sequence) ?? 0)));
      }
      this.promised.add(`${kind} ${replica} ${view} ${sequence} ${kind === 'view-change' ? '' : digest}`);
    }
  }

  onPromisesLost(replica: number): void {
    this.asked.onPromisesLost(replica);
  }

  /** What one replica has written to its log, at some time. */
  onWritten(replica: number, writes: readonly LogWrite[]): void {
    for (const { place, fields } of writes) {
      for (const [field, value] of fields) {
        if (field === 'new-view') this.onNewViewKept(replica, value);
        if (!field.includes(':')) continue;
        this.written.add(`${replica} ${place} ${field}`);
        const isVote = typeof place === 'number' && (field.startsWith('prepare:') || field.startsWith('commit:'));
        if (isVote) this.onVoteKept(replica, place, value);
      }
    }
    const executed = writes.find(({ place }) => place === 'replica')?.fields.get('last-executed');
    const stable = this.stableAt.get(replica) ?? 0;
    if (executed !== undefined) this.keptCommits.onExecuted(replica, Number(asBuffer(executed).toString()), stable);
  }

  private onNewViewKept(replica: number, value: Uint8Array): void {
    const frame = decodeFrame(asBuffer(value), this.membership.digest);
    if (typeof frame === 'string') return;
    const { view } = decodeNewView(frame.body);
    this.viewWritten.set(replica, Math.max(view, this.viewWritten.get(replica) ?? 0));
    this.asked.onReached(replica, view);
  }

  /** A vote that a replica has counted: its signer, if it is correct, has said so. */
  private onVoteKept(replica: number, place: number, value: Uint8Array): void {
    const frame = decodeFrame(asBuffer(value), this.membership.digest);
    if (typeof frame === 'string' || (frame.kind !== 'prepare' && frame.kind !== 'commit')) return;
    const { view, sequence, digest } = decodePhaseBody(frame.kind, frame.signer, frame.body);
    const where = `in the log of replica ${replica}`;
    if (frame.signer !== replica) this.assertSaid(frame.kind, frame.signer, `${view} ${sequence}`, digest, where);
    if (frame.kind === 'prepare') return;
    this.keptCommits.onKept(replica, place, `${view} ${digest}`, frame.signer);
  }

  /** What became stable at a replica is what q replicas have vouched for. */
  checkStable(replica: number, stable: StableCheckpoint): void {
    if (stable.sequence === 0 || this.stablesSeen.has(stable)) return;
    this.stablesSeen.add(stable);
    this.stableAt.set(replica, Math.max(stable.sequence, this.stableAt.get(replica) ?? 0));
    const digest = stable.proof[0]?.digest ?? '';
    const what = `in the proof of what is stable at replica ${replica}`;
    const isOne = stable.proof.every((vote) => vote.digest === digest && vote.sequence === stable.sequence);
    if (!isOne) this.violations.add('certificates', `different checkpoints ${what}`);
    const signed = stable.proof.map((vote) => ({ signer: vote.replica }));
    this.checkQuorum(signed, this.membership.q, 'checkpoint', `${stable.sequence}`, digest, what, replica);
  }

  onPublished(replica: number, channel: Channel, payload: Buffer): void {
    if (channel === 'request' || channel.startsWith('state:')) return;
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
      case 'decided':
        this.onDecided(replica, frame);
        break;
      case 'reply':
        this.onReply(replica, frame);
        break;
      case 'status': {
        const { lastExecuted, stateDigest, notVoting } = decodeStatus(frame.body);
        if (stateDigest !== undefined && !notVoting.startsWith('the state differs'))
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
    if (kind === 'commit') {
      // It shows the vote with which it was pledged.
      const pledging = view % this.membership.n === replica ? 'pre-prepare' : 'prepare';
      this.assertSaid(pledging, replica, `${view} ${sequence}`, digest, `and its COMMIT shows`);
    }
    const field = kind === 'pre-prepare' ? `${kind}:${view}` : `${kind}:${view}:${this.nameOf(replica)}`;
    const isWritten = this.written.has(`${replica} ${sequence} ${field}`);
    if (!isWritten && sequence > (this.stableAt.get(replica) ?? 0)) {
      this.violations.add('persistence', `${name} is sent and was never written to its log`);
    }
  }

  /** A certificate that it hands out: its own COMMIT in it may not be out before it is promised and in the log. */
  private onDecided(replica: number, frame: Frame): void {
    if (frame.attachment.length === 0) return;
    for (const bytes of decodeCertificate(frame.attachment).commitFrames) {
      const commit = decodeFrame(bytes, this.membership.digest);
      if (typeof commit === 'string') continue;
      const { view, sequence, digest } = decodePhaseBody('commit', commit.signer, commit.body);
      const what = `in a certificate that replica ${replica} hands out`;
      this.assertSaid('commit', commit.signer, `${view} ${sequence}`, digest, what);
    }
  }

  /** What is answered for the first time was just executed. */
  private onReply(replica: number, frame: Frame): void {
    if (frame.attachment[0] !== freshReplies) return;
    const { sequence } = decodeReplyBody(frame.body);
    this.keptCommits.onAnswered(replica, sequence);
    this.onAnswered(replica, sequence);
  }

  /** A replica begins a new life: what the last one had not written yet it learns anew, or fetches. */
  onBorn(replica: number): void {
    this.keptCommits.onBorn(replica);
  }

  private onCheckpoint(replica: number, body: Buffer): void {
    const { sequence, digest } = decodeCheckpoint(body);
    this.sayCheckpoint(replica, { sequence, digest });
  }

  private onViewChange(replica: number, body: Buffer): void {
    const { view, stable, prepared } = decodeViewChange(body);
    const name = `view-change ${replica} ${view}`;
    if (this.asked.isExcused(replica, view)) this.said.delete(name);
    if (!this.say(name, sha256(body), replica)) return;
    if (!this.promised.has(`view-change ${replica} ${view} 0 `)) {
      this.violations.add('persistence', `replica ${replica} asks for view ${view}, which is not among its promises`);
    }
    const what = `in the VIEW-CHANGE of replica ${replica} for view ${view}`;
    // Its own CHECKPOINT may stand here before it goes out by itself, or instead.
    const others = stable.signatures.filter(({ signer }) => signer !== replica);
    if (others.length < stable.signatures.length) this.sayCheckpoint(replica, stable);
    if (stable.sequence > 0)
      this.checkQuorum(
        others,
        this.membership.q - (stable.signatures.length - others.length),
        'checkpoint',
        `${stable.sequence}`,
        stable.digest,
        what,
      );
    this.checkNothingHidden(replica, view, stable.sequence, prepared, what);
    for (const certificate of prepared) {
      const { view: proposed, sequence, digest, prepares } = certificate;
      const primary = proposed % this.membership.n;
      this.assertSaid('pre-prepare', primary, `${proposed} ${sequence}`, digest, what);
      if (prepares.some(({ signer }) => signer === primary))
        this.violations.add('certificates', `a PREPARE of the primary ${what}`);
      this.checkQuorum(prepares, this.membership.q - 1, 'prepare', `${proposed} ${sequence}`, digest, what);
    }
  }

  private sayCheckpoint(replica: number, { sequence, digest }: CheckpointBody): void {
    if (this.say(`checkpoint ${replica} ${sequence}`, digest, replica)) this.checkpointsSaid++;
    this.sameState(this.checkpoints, sequence, digest, replica, 'checkpoint');
  }

  /** Rules 15 and 28: where it has sent a COMMIT, it shows what had prepared, or says nothing. */
  private checkNothingHidden(
    replica: number,
    view: number,
    stable: number,
    prepared: ViewChangeBody['prepared'],
    what: string,
  ): void {
    for (const [place, committedIn] of this.committed.get(replica) ?? []) {
      if (place <= stable || committedIn >= view) continue;
      const isShown = prepared.some((one) => one.sequence === place && one.view >= committedIn);
      if (!isShown) this.violations.add('promises', `its COMMIT for ${place} of view ${committedIn} is hidden ${what}`);
    }
  }

  private onNewView(replica: number, body: Buffer): void {
    const { view, prePrepares } = decodeNewView(body);
    if (!this.say(`new-view ${replica} ${view}`, sha256(body), replica)) return;
    // One field holds the newest: a turn that begins a view and enters a later one writes the later one alone.
    if ((this.viewWritten.get(replica) ?? 0) < view) {
      this.violations.add('persistence', `replica ${replica} begins view ${view}, and its log does not know`);
    }
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
