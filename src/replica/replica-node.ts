import { sha256 } from '../crypto/digest.js';
import type { Configuration } from '../pbft/configuration.js';
import type { RefusalReason } from '../pbft/refusal.js';
import { sequence, type Digest, type ReplicaIndex, type SequenceNumber } from '../pbft/types.js';
import type { Channel, SubscriptionListener } from '../ports/bus.js';
import type { Logger } from '../ports/logger.js';
import type { MessageLog } from '../ports/message-log.js';
import type { Outbox } from '../ports/outbox.js';
import type { PromiseKeeper } from '../ports/promise-keeper.js';
import type { Signer, Verifier } from '../ports/signatures.js';
import { Opener, Sealer } from '../wire/envelope.js';
import { decoded, gatewaySigner, type Frame } from '../wire/frame.js';
import { decodeFetch, decodeQuery, encodeFetch, encodeQueryReply, type Status } from '../wire/service.js';
import { decodeFetchBatch, encodeCheckpoint, encodeFetchBatch } from '../wire/views.js';
import { Answers } from './answers.js';
import { BatchBook } from './batch-book.js';
import { CatchUp } from './catch-up.js';
import { Host } from './host.js';
import { Inbox, type ServiceFrames } from './inbox.js';
import { Library, type CertificateParts } from './library.js';
import { MessageBook } from './message-book.js';
import { Presence } from './presence.js';
import { Recall } from './recall.js';
import { restore } from './restore.js';
import { StateSync } from './state-sync.js';
import type { Service } from './service.js';
import { packets } from '../wire/packets.js';

/** The channels that every replica listens to. */
export const commonChannels: readonly Channel[] = [
  'request',
  'pre-prepare',
  'prepare',
  'commit',
  'checkpoint',
  'view-change',
  'new-view',
  'status',
  'state',
];

/** The channels that the replica of this name listens to. */
export function replicaChannels(name: string): readonly Channel[] {
  return [...commonChannels, `state:${name}`];
}

/** How often `tick` is to be called, milliseconds: the unit of all of a replica's timers. */
export const tickMs = 50;
/** A status goes out this often. */
const statusTicks = 10;
/** It tells the state's digest unless more buckets have changed and requests are executed: a busy replica has no time for more. */
const digestedBucketsMax = 64;

export interface ReplicaNodeOptions {
  readonly configuration: Configuration;
  readonly names: readonly string[];
  readonly genesisDigest: Buffer;
  readonly epoch: number;
  readonly service: Service;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly outbox: Outbox;
  readonly log: MessageLog;
  readonly promises: PromiseKeeper;
  readonly logger: Logger;
  readonly incarnation: string;
  readonly startedAt: number;
  onFailure(error: unknown): void;
  onTwin(): void;
}

/** One replica on its ports: the host with everything around it. It has no timers; whoever runs it calls `tick`. */
export class ReplicaNode implements SubscriptionListener, ServiceFrames {
  readonly host: Host;
  private readonly inbox: Inbox;
  private readonly presence: Presence;
  private readonly library: Library;
  private readonly catchUp = new CatchUp();
  private readonly sync: StateSync;
  private readonly opener: Opener;
  private readonly sealer: Sealer;
  private readonly book: MessageBook;
  private readonly batches: BatchBook;
  private readonly answers: Answers;
  /** Set while it must learn from its peers what it may have said. */
  private recall: Recall | undefined;
  private isRunning = false;
  private batchTarget = 0;
  /** How many statuses of each peer were heard. */
  private readonly statusesHeard = new Map<number, number>();
  private ticks = 0;
  /** What was executed when the last status was given. */
  private described = 0;

  constructor(private readonly options: ReplicaNodeOptions) {
    const { configuration, genesisDigest, epoch, service, outbox } = options;
    const { n, self } = configuration;
    const context = { genesisDigest, epoch, n };
    this.opener = new Opener(context, options.verifier);
    this.sealer = new Sealer(context, options.signer, self);
    const { opener, sealer } = this;
    this.batches = new BatchBook({ opener, decodeOperation: (operation) => service.decodeOperation(operation) });
    this.book = new MessageBook({ self, n, opener, sealer, batches: this.batches });
    const { batches, book } = this;
    const onBatchWanted = this.askForBatch.bind(this);
    const onStateWanted: StateSync['want'] = (wanted) => {
      this.sync.want(wanted);
    };
    const onStable: StateSync['onStable'] = (checkpoint) => {
      this.sync.onStable(checkpoint);
    };
    this.host = new Host({ ...options, book, batches, sealer, onBatchWanted, onStateWanted, onStable });
    this.inbox = new Inbox({ self, host: this.host, opener, sealer, book, batches, services: this });
    const announce = outbox.announce.bind(outbox);
    this.answers = new Answers({ opener, announce });
    const { answers } = this;
    const retention = configuration.options.logSize;
    this.sync = new StateSync({
      ...options,
      self,
      host: this.host,
      opener,
      sealer,
      book,
      announce,
      answers,
      retention,
    });
    this.presence = new Presence({
      ...options,
      self,
      n,
      opener: this.opener,
      sealer: this.sealer,
      announce,
      describe: () => this.describe(),
      onPeer: (replica, status, isFresh) => {
        if (isFresh) this.recall?.onFresh(replica, status);
        else if (this.recall !== undefined && !this.isRunning) this.presence.announce(); // it has not heard of us yet
        if (this.isRunning) this.onPeer(replica, status);
      },
      onTwin: options.onTwin.bind(options),
    });
    this.library = new Library({
      log: options.log,
      sealer: this.sealer,
      genesisDigest,
      n,
      answers,
      lastExecuted: () => this.host.replica.lastExecuted,
      recent: (place) => this.recentCertificate(sequence(place)),
    });
  }

  /** States that were fetched from peers and installed since the start. */
  get transfers(): number {
    return this.sync.transfers;
  }

  /** Asks whether somebody lives under this identity; `onTwin` is called if so. */
  probe(): void {
    this.presence.announce();
  }

  /**
   * Reads the log back. When what this identity has promised is lost, its peers are asked first, which takes until
   * enough of them are there.
   * @throws {QuorateError} `shutting-down` when it is stopped meanwhile
   */
  async restore(): Promise<void> {
    const { host, opener, book } = this;
    const { configuration, promises, logger } = this.options;
    if (promises.isLost) {
      logger.error({}, 'what this replica has promised is lost: it asks its peers what that may have been (rule 28)');
      this.recall = new Recall(configuration);
      const past = await this.recall.past;
      promises.recall(past.sequence, past.view);
    }
    const stored = await restore({ ...this.options, host, opener, book });
    this.sync.begin(stored, await this.options.log.readReplica());
  }

  /** Takes part from now on. */
  run(now: number): void {
    this.isRunning = true;
    this.presence.isProbing = false;
    this.tick(now, true);
    this.presence.announce();
  }

  async stop(): Promise<void> {
    this.isRunning = false;
    this.recall?.close();
    this.sync.close();
    await this.host.stop();
  }

  /**
   * Time passes: to be called every `tickMs`.
   * @param now milliseconds since 1970
   * @param isConnected whether messages can arrive; while they cannot, nobody is suspected
   */
  tick(now: number, isConnected: boolean): void {
    if (!this.isRunning) return;
    const isReachable = isConnected && this.options.outbox.trouble === undefined;
    this.host.step({ kind: 'tick', now, isConnected: isReachable });
    const fetch = this.catchUp.tick(this.host.replica.lastExecuted);
    if (fetch !== undefined) {
      this.options.outbox.announce(packets('state', [this.sealer.seal('fetch', encodeFetch(fetch))]));
    }
    this.sync.tick();
    this.answers.tick();
    if (++this.ticks % statusTicks === 0) this.presence.announce();
  }

  onPayload(channel: Channel, payload: Buffer): void {
    if (this.isRunning || channel === 'status') this.inbox.onPayload(channel, payload);
  }

  /** What was published while we were cut off is lost: say where we are, and hear where the others are (rule 29). */
  onConnected(): void {
    if (!this.isRunning) return;
    this.presence.announce();
    this.sync.onReconnected();
  }

  onDisconnected(): void {
    this.options.logger.warn({}, 'the subscription was lost');
  }

  onStatus(frame: Frame): RefusalReason | undefined {
    return this.presence.onStatus(frame);
  }

  onFetch(frame: Frame): RefusalReason | undefined {
    const { self } = this.options.configuration;
    const fetch = decoded(() => decodeFetch(frame.signer, frame.body));
    if (fetch === 'malformed-frame') return fetch;
    if (fetch.target !== self) return undefined;
    const reason = this.answers.screen(frame);
    if (reason !== undefined) return reason;
    const channel: Channel = fetch.credential === undefined ? 'state' : `reply:${fetch.credential.name}`;
    return this.library.request(frame.signer, fetch, channel) ? undefined : 'overloaded';
  }

  onFetchBatch(frame: Frame): RefusalReason | undefined {
    const wanted = decoded(() => decodeFetchBatch(frame.body));
    if (wanted === 'malformed-frame') return wanted;
    if (wanted.target !== this.options.configuration.self) return undefined;
    const batch = this.host.replica.batchOf(wanted.sequence, wanted.digest);
    if (batch === undefined) return undefined;
    const reason = this.answers.screen(frame);
    if (reason !== undefined) return reason;
    const answer = this.sealer.seal('batch', encodeCheckpoint(wanted), this.batches.encode(batch));
    this.answers.send(frame.signer, 'state', [answer]);
    return undefined;
  }

  onFetchState(frame: Frame): RefusalReason | undefined {
    return this.sync.onFetch(frame);
  }

  onStateChunk(frame: Frame): RefusalReason | undefined {
    return this.sync.onChunk(frame);
  }

  onProve(frame: Frame): RefusalReason | undefined {
    return this.sync.onProve(frame);
  }

  /** Answers a read-only request from the committed state (paper §4.4). */
  onQuery(frame: Frame): RefusalReason | undefined {
    if (frame.signer !== gatewaySigner) return 'unknown-signer';
    if (!this.opener.verify(frame)) return 'bad-signature';
    const query = decoded(() => decodeQuery(frame.body));
    if (query === 'malformed-frame') return query;
    const { lastExecuted, lastPrepared, isCorrupt } = this.host.replica;
    if (isCorrupt) return undefined; // an answer from a state that we know to be wrong is a lie (rule 26)
    const value = this.options.service.query(query.query);
    const body = encodeQueryReply({
      nonce: query.nonce,
      question: sha256(frame.body),
      lastExecuted,
      lastPrepared,
      value: value === undefined ? undefined : Buffer.from(value),
    });
    const channel: Channel = `reply:${query.credential.name}`;
    this.options.outbox.announce(packets(channel, [this.sealer.seal('query-reply', body)]));
    return undefined;
  }

  /**
   * A peer that is behind missed something: it gets again what only needs to be heard (rule 29). One of us tells it,
   * a different one each time.
   */
  private onPeer(replica: number, status: Status): void {
    this.catchUp.onStatus(replica, status.lastExecuted);
    const { n, self } = this.options.configuration;
    const heard = (this.statusesHeard.get(replica) ?? 0) + 1;
    this.statusesHeard.set(replica, heard);
    if ((replica + 1 + (heard % (n - 1))) % n !== self) return;
    if (!this.answers.isLeft(replica)) {
      this.host.refuse('overloaded');
      return;
    }
    const { stable, newView, view } = this.host.replica;
    if (newView !== undefined && status.view < view && !this.host.isUnsaid(newView)) {
      this.answers.send(replica, 'new-view', [this.book.frameOf(newView)]);
    }
    // Who has that state moves its window; who is behind learns what state to fetch.
    if (status.stableCheckpoint >= stable.sequence || stable.proof.some((one) => this.host.isUnsaid(one))) return;
    const frames = stable.proof.map((checkpoint) => this.book.frameOf(checkpoint));
    this.answers.send(replica, 'checkpoint', frames);
  }

  private recentCertificate(place: SequenceNumber): CertificateParts | undefined {
    const certificate = this.host.replica.certificateOf(place);
    // What is handed out past the turns must not hold a word of ours that still waits in one.
    if (certificate?.commits.some((commit) => this.host.isUnsaid(commit)) !== false) return undefined;
    const { batch, commits } = certificate;
    return { batch: this.batches.encode(batch), commitFrames: commits.map((commit) => this.book.frameOf(commit)) };
  }

  /** Asks `from`, or else one replica after the other, a new one each time. */
  private askForBatch(place: SequenceNumber, digest: Digest, from?: ReplicaIndex): void {
    const { n, self } = this.options.configuration;
    if (from === undefined) this.batchTarget = (this.batchTarget + 1) % n;
    if (this.batchTarget === self) this.batchTarget = (this.batchTarget + 1) % n;
    const body = encodeFetchBatch({ target: from ?? this.batchTarget, sequence: place, digest });
    this.options.outbox.announce(packets('state', [this.sealer.seal('fetch-batch', body)]));
  }

  private describe(): Omit<Status, 'incarnation' | 'rival' | 'startedAt' | 'heard'> {
    const { replica, refusals, contradictions, notVoting } = this.host;
    const fetching = this.sync.fetching === undefined ? '' : `fetches the state after ${this.sync.fetching}`;
    const waiting = replica.isChangingView ? `asks for view ${replica.view}` : fetching;
    const isIdle = replica.lastExecuted === this.described;
    this.described = replica.lastExecuted;
    const contradicted = contradictions > 0 ? ([['evidence', contradictions]] as const) : [];
    return {
      view: replica.view,
      lastExecuted: replica.lastExecuted,
      stableCheckpoint: replica.stable.sequence,
      stateDigest: this.options.service.stateDigest(isIdle ? Infinity : digestedBucketsMax),
      isWhole: this.isRunning && !replica.isAmnesiac && !replica.isCorrupt,
      notVoting: this.isRunning ? notVoting || waiting : 'starting',
      refused: [...refusals.entries(), ...contradicted],
    };
  }
}
