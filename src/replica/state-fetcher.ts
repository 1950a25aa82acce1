import { digestOfCheckpoint, type CheckpointHead } from '../crypto/checkpoint-head.js';
import type { RefusalReason } from '../pbft/refusal.js';
import type { Digest } from '../pbft/types.js';
import { decoded } from '../wire/frame.js';
import {
  decodeStateAnswer,
  stateTransferLimits,
  type FetchState,
  type StateAnswer,
  type StateQuestion,
} from '../wire/state-transfer.js';
import { type CheckpointedState, type StateSnapshot, type Transfer } from './checkpointed-state.js';
import { PartFetch } from './state-part-fetch.js';

/** Questions under way at once: what bounds the bytes that may arrive. */
const outstandingMax = 4;
/** Ticks that a peer has for an answer, and for which one that gave none, a false one, or has no longer got it is not asked. */
const answerTicks = 20;
const silenceTicks = 40;
const lieTicks = 2000;
const goneTicks = 100;

/** A checkpoint that at least f+1 replicas vouch for. */
export interface WantedCheckpoint {
  readonly sequence: number;
  readonly digest: Digest;
  /** The indexes of the replicas that vouch for it. */
  readonly holders: readonly number[];
}

interface Outstanding {
  readonly peer: number;
  readonly question: StateQuestion;
  readonly deadline: number;
}

/**
 * Gets the state of a checkpoint from those who vouch for it (rule 25): what differs from our own, in verified pieces, from
 * several peers at once. Pure: it is told what arrives and that time passes, and says what to ask. The replica's own
 * state stays as it is, and may go on, until a transfer is complete and is installed.
 *
 * The checkpoint that is wanted moves while we fetch. We stay with the first for as long as somebody hands it out, since
 * holders keep it for a while for those who ask; then what is equal in the next one is kept.
 */
export class StateFetcher {
  private target: WantedCheckpoint | undefined;
  /** Wanted last, and not the target. */
  private next: WantedCheckpoint | undefined;
  private head: CheckpointHead | undefined;
  private isHeadAsked = false;
  /** Our state when we began, and what is known of each part of the other. */
  private own: StateSnapshot | undefined;
  private parts: readonly PartFetch[] = [];
  private readonly outstanding = new Map<number, Outstanding>();
  /** Holders that said that they do not have the target, and until when they are not asked again. */
  private readonly goneUntil = new Map<number, number>();
  private readonly leftOutUntil = new Map<number, number>();
  private readonly askedThisTick = new Map<number, number>();
  private nonce = 0;
  private ticks = 0;
  private lastPeer = -1;

  constructor(
    private readonly state: CheckpointedState,
    /** This replica's index: who is not asked. */
    private readonly self: number,
  ) {}

  /** What is being fetched. */
  get sequence(): number | undefined {
    return this.target?.sequence;
  }

  /** Begins to fetch, or tells of a newer checkpoint, or of the same again. */
  want(wanted: WantedCheckpoint): void {
    const { target } = this;
    if (target === undefined || target.digest === wanted.digest) this.target = wanted;
    else this.next = wanted;
    if (target === undefined) this.begin();
    else if (this.head === undefined || this.isTargetLost) this.moveOn();
  }

  /** Lets go of everything: after a transfer was installed, or when it is no longer wanted. */
  stop(): void {
    this.own?.release();
    this.own = undefined;
    this.target = undefined;
    this.next = undefined;
    this.parts = [];
    this.forgetTarget();
  }

  /** Time passes: what was asked in vain is asked again. */
  onTick(): void {
    this.ticks++;
    this.askedThisTick.clear();
    for (const [nonce, { peer, deadline }] of this.outstanding) {
      if (this.ticks >= deadline) this.giveUpOn(peer, nonce, silenceTicks);
    }
    if (this.isTargetLost) this.moveOn();
  }

  /** What to ask now, each question of its target. */
  takeRequests(): FetchState[] {
    const { target } = this;
    const requests: FetchState[] = [];
    while (target !== undefined && this.outstanding.size < outstandingMax) {
      const peer = this.choosePeer(target);
      const question = peer === undefined ? undefined : this.takeQuestion();
      if (peer === undefined || question === undefined) break;
      this.lastPeer = peer;
      this.askedThisTick.set(peer, (this.askedThisTick.get(peer) ?? 0) + 1);
      const nonce = ++this.nonce;
      this.outstanding.set(nonce, { peer, question, deadline: this.ticks + answerTicks });
      requests.push({ target: peer, nonce, sequence: target.sequence, digest: target.digest, question });
    }
    return requests;
  }

  /** Whether a chunk of this peer is waited for: to be asked before its signature is looked at. */
  expects(peer: number, nonce: number): boolean {
    return this.outstanding.get(nonce)?.peer === peer;
  }

  /** Takes the attachment of a chunk that the peer has signed. @returns why it is not taken */
  onChunk(peer: number, nonce: number, attachment: Buffer): RefusalReason | undefined {
    const asked = this.outstanding.get(nonce);
    if (asked?.peer !== peer) return 'duplicate';
    const answer = decoded(() => decodeStateAnswer(attachment));
    if (answer !== 'malformed-frame' && this.take(peer, asked.question, answer)) {
      this.outstanding.delete(nonce);
      this.giveBack(asked.question); // of which all that has come is no longer open
      return undefined;
    }
    this.giveUpOn(peer, nonce, lieTicks);
    return answer === 'malformed-frame' ? answer : 'digest-mismatch';
  }

  /** The whole state of the checkpoint, once it is here and verified. It stays valid until `stop`. */
  get transfer(): Transfer | undefined {
    const { head, own, target } = this;
    if (head === undefined || own === undefined || target === undefined) return undefined;
    if (!this.parts.every((part) => part.isComplete)) return undefined;
    return { head, digest: target.digest, base: own, replaced: this.parts.map(({ replaced }) => replaced) };
  }

  private begin(): void {
    const own = this.state.present();
    this.own = own;
    this.parts = this.state.parts.flatMap((part, index) => {
      const snapshot = own.parts[index];
      return snapshot === undefined ? [] : [new PartFetch(part, snapshot)];
    });
  }

  /** Nobody hands the target out just now. */
  private get isTargetLost(): boolean {
    return this.target?.holders.every((holder) => !this.isAvailable(holder)) === true;
  }

  private isAvailable(peer: number): boolean {
    const until = Math.max(this.goneUntil.get(peer) ?? 0, this.leftOutUntil.get(peer) ?? 0);
    return peer !== this.self && until <= this.ticks;
  }

  private moveOn(): void {
    if (this.next === undefined) return;
    this.target = this.next;
    this.next = undefined;
    this.forgetTarget();
  }

  private forgetTarget(): void {
    this.head = undefined;
    this.isHeadAsked = false;
    this.outstanding.clear();
    this.goneUntil.clear();
  }

  /** One that is not left out, as few questions under way as possible, each in its turn. */
  private choosePeer({ holders }: WantedCheckpoint): number | undefined {
    const load = (peer: number): number => [...this.outstanding.values()].filter((asked) => asked.peer === peer).length;
    const peers = holders.filter((peer) => this.isAvailable(peer) && this.mayAsk(peer)).sort((a, b) => a - b);
    const inTurn = [...peers.filter((peer) => peer > this.lastPeer), ...peers.filter((peer) => peer <= this.lastPeer)];
    return inTurn.sort((a, b) => load(a) - load(b))[0];
  }

  private mayAsk(peer: number): boolean {
    return (this.askedThisTick.get(peer) ?? 0) < stateTransferLimits.questionsPerTickMax;
  }

  private takeQuestion(): StateQuestion | undefined {
    if (this.head === undefined) {
      if (this.isHeadAsked) return undefined;
      this.isHeadAsked = true;
      return { ask: 'head' };
    }
    for (const [part, fetch] of this.parts.entries()) {
      const nodes = fetch.takeNodes();
      if (nodes.length > 0) return { ask: 'nodes', part, nodes };
    }
    for (const [part, fetch] of this.parts.entries()) {
      const from = fetch.takeBuckets();
      if (from.length > 0) return { ask: 'buckets', part, from };
    }
    return undefined;
  }

  /** @returns whether it answers the question, and is true */
  private take(peer: number, question: StateQuestion, answer: StateAnswer): boolean {
    if (answer.ask === 'gone') {
      this.goneUntil.set(peer, this.ticks + goneTicks);
      return true;
    }
    if (question.ask === 'head') return answer.ask === 'head' && this.onHead(answer.time, answer.roots);
    const part = this.parts[question.part];
    if (part === undefined) return false;
    if (question.ask === 'nodes') return answer.ask === 'nodes' && part.onNodes(question.nodes, answer.below);
    return answer.ask === 'buckets' && part.onPages(question.from, answer.pages);
  }

  private onHead(time: number, roots: readonly Buffer[]): boolean {
    const { target } = this;
    if (target === undefined || roots.length !== this.parts.length) return false;
    const head = { sequence: target.sequence, time, roots: roots.map((root) => Buffer.from(root)) };
    if (digestOfCheckpoint(head) !== target.digest) return false;
    this.head = head;
    for (const [index, part] of this.parts.entries()) part.aim(head.roots[index]?.toString('latin1') ?? '');
    return true;
  }

  /** The question is open again, and so is everything else that this peer was asked. */
  private giveUpOn(peer: number, nonce: number, ticks: number): void {
    const asked = this.outstanding.get(nonce);
    this.outstanding.delete(nonce);
    if (asked !== undefined) this.giveBack(asked.question);
    this.leftOutUntil.set(peer, this.ticks + ticks);
  }

  private giveBack(question: StateQuestion): void {
    if (question.ask === 'head') this.isHeadAsked = false;
    else if (question.ask === 'nodes') this.parts[question.part]?.giveBack(question.nodes, []);
    else this.parts[question.part]?.giveBack([], question.from);
  }
}
