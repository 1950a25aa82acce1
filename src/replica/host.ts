import type { Configuration } from '../pbft/configuration.js';
import type { Effect, ReplyStatement } from '../pbft/effects.js';
import type { Input } from '../pbft/inputs.js';
import {
  promisedView,
  type Commit,
  type CommittedCertificate,
  type PhaseMessage,
  type ReplicaMessage,
  type StableCheckpoint,
} from '../pbft/messages.js';
import type { RefusalReason } from '../pbft/refusal.js';
import { Replica } from '../pbft/replica.js';
import type { Digest, ReplicaIndex, SequenceNumber } from '../pbft/types.js';
import type { Logger } from '../ports/logger.js';
import type { MessageLog } from '../ports/message-log.js';
import type { Outbox, Turn } from '../ports/outbox.js';
import type { KeptPromise, PromiseKeeper } from '../ports/promise-keeper.js';
import type { Sealer } from '../wire/envelope.js';
import { encodeCachedAttachments, encodeReplyAttachments, proveReplies } from '../wire/reply.js';
import { nullBatch, type BatchBook } from './batch-book.js';
import { fields, placeOf } from './log-entries.js';
import type { MessageBook } from './message-book.js';
import { RefusalCounter } from './refusal-counter.js';
import { ReplyFrames } from './reply-frames.js';
import type { Service } from './service.js';
import { TurnBuilder } from './turn-builder.js';

/** Bytes that may wait to be written and sent; beyond it inputs are dropped until Redis takes them (rule 31). */
const outgoingBytesMax = 64 * 1024 * 1024;
/** Contradictions that are kept to be shown. */
const evidenceMax = 64;

export interface HostOptions {
  readonly configuration: Configuration;
  /** The replicas' names, in the membership's order. */
  readonly names: readonly string[];
  readonly service: Service;
  readonly book: MessageBook;
  readonly batches: BatchBook;
  readonly sealer: Sealer;
  readonly outbox: Outbox;
  readonly log: MessageLog;
  readonly promises: PromiseKeeper;
  readonly logger: Logger;
  /** Told when something happened that no peer can cause: the process must end. */
  readonly onFailure: (error: unknown) => void;
  /** Asks this peer, or one after the other, for a batch of which we lack something. */
  readonly onBatchWanted: (place: SequenceNumber, wanted: Digest, from?: ReplicaIndex) => void;
  /** Told what is stable now, once the core has been told. */
  readonly onStable: (checkpoint: StableCheckpoint) => void;
  /** Asks peers for the state of a checkpoint. */
  readonly onStateWanted: (wanted: Extract<Effect, { kind: 'fetch-state' }>) => void;
}

/**
 * Steps the core and carries its effects out, in their order: a word of ours is in the log, with all that it rests on,
 * before it is on the bus (rule 27). What one turn of the event loop brings goes out together. One turn is under way at a
 * time; while Redis does not take it nothing further is said, and the rest waits, within a limit.
 *
 * What others said is not ours to promise: it waits for our next word, or the next tick, so that a turn which brings
 * replies alone has nothing to write, and waits for no disk.
 */
export class Host {
  readonly replica: Replica;
  readonly refusals = new RefusalCounter();
  readonly evidence: { readonly first: PhaseMessage; readonly second: PhaseMessage }[] = [];
  /** How often a signer contradicted itself. */
  contradictions = 0;
  private readonly turn = new TurnBuilder();
  private readonly replyFrames: ReplyFrames;
  private promised: KeptPromise[] = [];
  /** Our own words that are not in the log yet: of the turn that gathers, and of the one that is under way. */
  private gathered = new Set<ReplicaMessage>();
  private leaving: ReadonlySet<ReplicaMessage> = new Set();
  private isSending = false;
  private housekeeping: 'none' | 'waits' | 'goes out' = 'none';
  private onKept: (() => void) | undefined;
  private isFlushDue = false;
  /** Whether what waits to be written goes out with whatever goes out next. */
  private isWritingDue = false;
  private isStopped = false;
  private idle: (() => void) | undefined;

  constructor(private readonly options: HostOptions) {
    const { configuration, service, batches, sealer } = options;
    this.replyFrames = new ReplyFrames(sealer);
    this.replica = new Replica(configuration, {
      application: service,
      digestOfBatch: (content) => batches.digestOf(content),
      nullBatch,
      proveReplies,
    });
  }

  /** Why this replica says nothing just now; '' when it takes part. */
  get notVoting(): string {
    const { replica } = this;
    if (this.options.outbox.trouble !== undefined) return this.options.outbox.trouble;
    if (replica.isCorrupt) return 'the state differs from what a quorum has';
    if (replica.isChangingView && replica.isAmnesiac) return 'the log has lost votes; waiting for the next view';
    return '';
  }

  /** Whether so much waits to be sent that inputs must be dropped. */
  get isOverloaded(): boolean {
    return this.turn.bytes > outgoingBytesMax;
  }

  /** Whether this is a word of ours that is not promised and logged yet: nothing may show it to anybody (rule 27). */
  isUnsaid(message: ReplicaMessage): boolean {
    return this.gathered.has(message) || this.leaving.has(message);
  }

  /** Whether every word of ours is promised, logged and out. */
  get isAllSaid(): boolean {
    return this.gathered.size === 0 && this.leaving.size === 0;
  }

  refuse(reason: RefusalReason): void {
    this.refusals.add(reason);
  }

  /** Steps the core with a verified input, and has what follows from it carried out at the end of this turn. */
  step(input: Input): void {
    if (this.isStopped) return;
    if (input.kind === 'tick') this.isWritingDue = true;
    this.orEnd(() => {
      for (const effect of this.replica.step(input)) this.carryOut(effect);
    });
    this.scheduleFlush();
  }

  /** Whether something that keeps the house waits to go out, or is under way. */
  get isKeepingHouse(): boolean {
    return this.housekeeping !== 'none';
  }

  /**
   * Has something written that is not the protocol's, with what goes out next; one such thing at a time, so that it does
   * not pile up while Redis is away. `onKept` is called once it is out.
   */
  keepHouse(write: (turn: TurnBuilder) => void, onKept?: () => void): void {
    if (this.isStopped || this.housekeeping !== 'none') return;
    this.onKept = onKept;
    const { revision } = this.turn;
    write(this.turn);
    if (this.turn.revision === revision) return;
    this.housekeeping = 'waits';
    this.scheduleFlush();
  }

  /** Has what the log should hold of a sequence number, or of checkpoints and views, written once more. */
  logAgain(what: SequenceNumber | 'views'): void {
    const messages = what === 'views' ? this.replica.loggedViews : this.replica.loggedAt(what);
    for (const message of messages) this.log(message);
    const certificate = what === 'views' ? undefined : this.replica.certificateOf(what);
    if (certificate !== undefined) {
      this.logBatch(certificate);
      for (const commit of certificate.commits) this.log(commit);
    }
    if (messages.length > 0) this.scheduleFlush();
  }

  /** Says nothing more, and resolves once what was said is out, or can't get out. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.flush();
    if (this.isSending && this.options.outbox.trouble === undefined) {
      await new Promise<void>((resolve) => (this.idle = resolve));
    }
  }

  private carryOut(effect: Effect): void {
    const { logger } = this.options;
    switch (effect.kind) {
      case 'persist':
        this.persist(effect.message);
        break;
      case 'broadcast':
        this.turn.publish(effect.message.kind, this.options.book.saidAs(effect.message));
        break;
      case 'reply':
        this.reply(effect.gateway, effect.replies.statement, encodeReplyAttachments(effect.replies, effect.items));
        break;
      case 'reply-again': {
        const statement = effect.replies[0]?.statement;
        if (statement !== undefined) this.reply(effect.gateway, statement, encodeCachedAttachments(effect.replies));
        break;
      }
      case 'executed':
        this.turn.write('replica', 'last-executed', Buffer.from(String(effect.sequence)));
        this.options.batches.executed(effect.batch);
        break;
      case 'stable':
        this.turn.write('replica', 'stable-checkpoint', Buffer.from(String(effect.checkpoint.sequence)));
        this.options.promises.forget(effect.checkpoint.sequence);
        this.options.onStable(effect.checkpoint);
        break;
      case 'forward':
        for (const bundle of effect.bundles) this.turn.publish('request', this.options.batches.frameOf(bundle));
        break;
      case 'fetch-batch':
        this.options.onBatchWanted(effect.sequence, effect.digest, effect.from);
        break;
      case 'fetch-state':
        this.options.onStateWanted(effect);
        break;
      case 'view':
        this.turn.write('replica', 'view', Buffer.from(String(effect.view)));
        logger.info({ view: effect.view }, effect.isChanging ? 'asks for a new view' : 'enters a view');
        break;
      case 'corrupt':
        logger.error({ sequence: effect.sequence }, 'our state differs from what a quorum has: we stop voting');
        break;
      case 'refused':
        this.refuse(effect.reason);
        break;
      case 'evidence':
        this.contradictions++;
        if (this.evidence.length < evidenceMax) this.evidence.push(effect);
        logger.error(
          { replica: this.nameOf(effect.first.replica), kind: effect.first.kind, sequence: effect.first.sequence },
          'a replica contradicts itself: proof that it is faulty',
        );
        break;
    }
  }

  private persist(message: ReplicaMessage | CommittedCertificate): void {
    const { configuration } = this.options;
    if (message.kind === 'certificate') {
      this.logBatch(message);
      for (const commit of message.commits) this.persist(commit);
      return;
    }
    this.log(message);
    if (message.replica !== configuration.self) return;
    this.gathered.add(message);
    switch (message.kind) {
      case 'pre-prepare':
      case 'prepare':
        this.promised.push(message);
        break;
      case 'commit':
        this.promised.push(this.provenCommit(message));
        break;
      case 'view-change':
        this.promised.push(promisedView(message.view));
        break;
      case 'checkpoint':
      case 'new-view':
        break; // they follow from what is promised already
    }
  }

  private logBatch({ batch, commits }: CommittedCertificate): void {
    const place = commits[0]?.sequence ?? 0;
    this.turn.write(place, fields.batch, this.options.batches.encode(batch));
  }

  private log(message: ReplicaMessage): void {
    const { place, field } = placeOf(message, (replica) => this.nameOf(replica));
    this.turn.write(place, field, this.options.book.frameOf(message));
  }

  /** A COMMIT says that a batch prepared here: its proof is kept beside it, where nobody who runs Redis can take it away. */
  private provenCommit(commit: Commit): KeptPromise {
    const prepared = this.replica.preparedAt(commit.sequence);
    return prepared === undefined ? commit : { ...commit, proof: this.options.book.encodePrepared(prepared) };
  }

  private reply(gateway: string, statement: ReplyStatement, attachments: readonly Buffer[]): void {
    const frames = this.replyFrames.of(statement, attachments);
    for (const frame of frames) this.turn.publish(`reply:${gateway}`, frame);
  }

  /** Everything that this turn of the event loop brings goes out together. */
  private scheduleFlush(): void {
    if (this.isFlushDue) return;
    this.isFlushDue = true;
    queueMicrotask(() => {
      this.isFlushDue = false;
      this.flush();
    });
  }

  /** What throws here has broken an invariant, or the data folder: what this replica would say next cannot be trusted. */
  private orEnd(run: () => void): boolean {
    try {
      run();
      return true;
    } catch (error) {
      this.isStopped = true;
      this.options.onFailure(error);
      return false;
    }
  }

  /** Sends the next turn, unless one is under way, and only then does what no reply has to wait for. */
  private flush(): void {
    if (this.isSending) return;
    const turn = this.takeTurn();
    if (turn !== undefined) this.send(turn);
    if (this.isStopped) return;
    this.orEnd(() => {
      this.options.service.keepUp();
    });
  }

  private send(turn: Turn): void {
    this.isSending = true;
    const promised = this.promised;
    this.promised = [];
    const isPromised = this.orEnd(() => {
      this.options.promises.keep(promised);
    });
    if (!isPromised) return; // a vote that the data folder does not hold must not leave this process
    this.leaving = this.gathered;
    this.gathered = new Set();
    void this.options.outbox
      .send(turn)
      .catch((error: unknown) => {
        if (!this.isStopped) this.options.onFailure(error);
      })
      .finally(() => {
        this.isSending = false;
        this.leaving = new Set();
        const isKept = this.housekeeping === 'goes out';
        if (isKept) this.housekeeping = 'none';
        if (this.isStopped) this.idle?.();
        else this.flush();
        if (isKept) this.onKept?.();
      });
  }

  /** What is to go out now: everything with a word of ours, else what is to be said alone. */
  private takeTurn(): Turn | undefined {
    const isWriting = this.gathered.size > 0 || this.housekeeping === 'waits' || this.isWritingDue || this.isStopped;
    if (!isWriting) return this.turn.hasPublications ? this.turn.takePublications() : undefined;
    this.isWritingDue = false;
    if (this.turn.isEmpty) return undefined;
    if (this.housekeeping === 'waits') this.housekeeping = 'goes out';
    return this.turn.take();
  }

  private nameOf(replica: number): string {
    return this.options.names[replica] ?? String(replica);
  }
}
