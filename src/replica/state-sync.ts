import { sha256 } from '../crypto/digest.js';
import type { Effect } from '../pbft/effects.js';
import type { StableCheckpoint } from '../pbft/messages.js';
import type { RefusalReason } from '../pbft/refusal.js';
import { sequence, type SequenceNumber } from '../pbft/types.js';
import type { Publication } from '../ports/bus.js';
import type { MessageLog } from '../ports/message-log.js';
import type { Logger } from '../ports/logger.js';
import type { Outbox } from '../ports/outbox.js';
import type { Opener, Sealer } from '../wire/envelope.js';
import { decoded, type Frame } from '../wire/frame.js';
import { packets } from '../wire/packets.js';
import { decodeProve, encodeProof } from '../wire/state-proof.js';
import { decodeFetchState, decodeStateChunk, encodeFetchState, encodeStateChunk } from '../wire/state-transfer.js';
import type { Answers } from './answers.js';
import { CheckpointStore, type StoredState } from './checkpoint-store.js';
import { LogCollection } from './collection.js';
import type { Host } from './host.js';
import type { MessageBook } from './message-book.js';
import type { Service } from './service.js';
import { StateFetcher } from './state-fetcher.js';
import { proveKey } from './state-prover.js';
import { StateServer } from './state-server.js';

/** What is stored is looked at so often. */
const storeCheckTicks = 200;
/** Pieces of a checkpoint that are stored in a tick. */
const storePieces = 8;

export interface StateSyncOptions {
  readonly self: number;
  readonly names: readonly string[];
  readonly host: Host;
  readonly service: Service;
  /** Random: names this process. */
  readonly incarnation: string;
  readonly book: MessageBook;
  readonly log: MessageLog;
  readonly outbox: Pick<Outbox, 'interruptions'>;
  /** Sequence numbers below the stable checkpoint whose hashes stay: for peers that are a little behind, and readers. */
  readonly retention: number;
  readonly opener: Opener;
  readonly sealer: Sealer;
  readonly logger: Logger;
  readonly announce: (publications: readonly Publication[]) => void;
  readonly answers: Answers;
}

/**
 * What becomes of checkpoints: the stable one is stored, the log below it goes; what the core wants is fetched from peers
 * and installed, and peers are answered (rules 23, 25 and 26).
 */
export class StateSync {
  private readonly fetcher: StateFetcher;
  private readonly server: StateServer;
  /** States that were fetched and installed since the start. */
  transfers = 0;
  /** Both made once the log is read back. */
  private store: CheckpointStore | undefined;
  private collection: LogCollection | undefined;
  /** Of these Redis has lost the log, and the memory writes it again. */
  private lost: (SequenceNumber | 'views')[] = [];
  /** Nothing is stored or collected until it is known that what was is still there. */
  private isCheckDue = false;
  private isChecking = false;
  private isListing = false;
  private interruptions: number;
  private ticks = 0;

  constructor(private readonly options: StateSyncOptions) {
    this.fetcher = new StateFetcher(options.service.checkpoints, options.self);
    this.server = new StateServer(options.service.checkpoints);
    this.interruptions = options.outbox.interruptions;
  }

  /** The checkpoint that is being fetched; `undefined` when none is. */
  get fetching(): number | undefined {
    return this.fetcher.sequence;
  }

  /** Redis was out of reach: it may have lost what it held, all of it or the last minute. */
  onReconnected(): void {
    this.isCheckDue = true;
    this.writeLogAgain();
  }

  /** The log is read back, and with it a checkpoint that may be newer than the stored one: what is stored, and the replica's own hash as it was read. */
  begin(stored: StoredState | undefined, own: Readonly<Record<string, Buffer>>): void {
    const { service, retention, incarnation, host } = this.options;
    this.store = new CheckpointStore(service.checkpoints, incarnation, stored);
    this.collection = new LogCollection(retention, own);
    this.onStable(host.replica.stable);
  }

  onStable({ sequence: place, proof }: StableCheckpoint): void {
    const { service, book } = this.options;
    service.checkpoints.dropBelow(place);
    const digest = proof[0]?.digest;
    if (digest === undefined) return;
    this.store?.onStable(
      place,
      digest,
      proof.map((checkpoint) => book.frameOf(checkpoint)),
    );
  }

  want(wanted: Extract<Effect, { kind: 'fetch-state' }>): void {
    if (this.fetcher.sequence === undefined) {
      this.options.logger.warn({ sequence: wanted.sequence }, 'fetches the state of a checkpoint from its peers');
    }
    this.fetcher.want(wanted);
  }

  tick(): void {
    const { host } = this.options;
    const { replica } = host;
    if (++this.ticks % storeCheckTicks === 0) this.isCheckDue = true;
    if (!this.mayStore()) void this.checkStore();
    else {
      if (this.store?.wantsList === true) void this.listStored(this.store);
      host.keepHouse(
        (turn) => {
          const lost = this.lost.shift();
          if (lost !== undefined) host.logAgain(lost);
          // Before the store goes on: what it commits in this turn is not out yet.
          this.collection?.tick(this.store?.sequence ?? 0, replica.stable.sequence, turn);
          this.store?.tick(turn);
        },
        () => this.storeOn(storePieces - 1),
      );
    }
    this.server.onTick();
    if (this.fetcher.sequence === undefined) return;
    if (this.fetcher.sequence <= replica.lastExecuted && !replica.isCorrupt) {
      this.fetcher.stop(); // certificates have brought us there
      return;
    }
    this.fetcher.onTick();
    this.ask();
  }

  /** A peer asks about a checkpoint of ours. */
  onFetch(frame: Frame): RefusalReason | undefined {
    const { self, names, sealer, answers } = this.options;
    const asked = decoded(() => decodeFetchState(frame.body));
    if (asked === 'malformed-frame') return asked;
    if (asked.target !== self) return undefined;
    const reason = answers.screen(frame);
    if (reason !== undefined) return reason;
    const attachment = this.server.answer(frame.signer, asked);
    const body = encodeStateChunk({ target: frame.signer, nonce: asked.nonce, attachment: sha256(attachment) });
    answers.send(frame.signer, `state:${names[frame.signer] ?? ''}`, [sealer.seal('state-chunk', body, attachment)]);
    return undefined;
  }

  /** A gateway wants proven what a key of the state holds. */
  onProve(frame: Frame): RefusalReason | undefined {
    const { self, host, service, book, sealer, answers } = this.options;
    const asked = decoded(() => decodeProve(frame.body));
    if (asked === 'malformed-frame') return asked;
    if (asked.target !== self) return undefined;
    const reason = answers.screen(frame);
    if (reason !== undefined) return reason;
    const { proof } = host.replica.stable;
    // What is handed out past the turns must not hold a word of ours that still waits in one.
    const isSaid = !proof.some((checkpoint) => host.isUnsaid(checkpoint));
    const signatures = proof.map((checkpoint) => book.signedBy(checkpoint));
    const proven = isSaid ? proveKey(service.checkpoints, proof, signatures, asked.key) : undefined;
    const answer = sealer.seal('proof', encodeProof(asked), proven);
    answers.send(frame.signer, `reply:${asked.credential.name}`, [answer]);
    return undefined;
  }

  /** A peer answers. What it says is believed as far as the checkpoint's digest vouches for it. */
  onChunk(frame: Frame): RefusalReason | undefined {
    const { self, opener } = this.options;
    const chunk = decoded(() => decodeStateChunk(frame.body, frame.attachment));
    if (chunk === 'malformed-frame') return chunk;
    if (chunk.target !== self || !this.fetcher.expects(frame.signer, chunk.nonce)) return 'duplicate';
    if (!opener.verify(frame)) return 'bad-signature';
    const reason = this.fetcher.onChunk(frame.signer, chunk.nonce, frame.attachment);
    this.installIfComplete();
    this.ask();
    return reason;
  }

  close(): void {
    this.fetcher.stop();
    this.server.close();
    this.store?.close();
  }

  private ask(): void {
    const { sealer, announce } = this.options;
    const questions = this.fetcher.takeRequests();
    const frames = questions.map((question) => sealer.seal('fetch-state', encodeFetchState(question)));
    if (frames.length > 0) announce(packets('state', frames));
  }

  /** Not after an interruption of the log, until it is known whether it still has the pieces before. */
  private mayStore(): boolean {
    const { interruptions } = this.options.outbox;
    if (interruptions !== this.interruptions) {
      this.interruptions = interruptions;
      this.store?.onInterrupted();
      this.onReconnected();
    }
    return !this.isCheckDue;
  }

  /**
   * Whether what is stored is still there: whoever runs Redis may have deleted it, or set it back. Read while nothing of ours
   * is on its way, so that it is what was written last.
   */
  private async checkStore(): Promise<void> {
    const { host, log, logger } = this.options;
    if (this.isChecking || host.isKeepingHouse) return;
    this.isChecking = true;
    const own = await log.readReplica().catch(() => undefined); // who cannot be asked now is asked again
    this.isChecking = false;
    if (own === undefined || this.options.outbox.interruptions !== this.interruptions) return;
    this.isCheckDue = false;
    this.collection?.onReadBack(own);
    if (this.store?.onReadBack(own) !== true) return;
    logger.warn({}, 'what was in Redis is gone; it is written anew');
    this.writeLogAgain();
  }

  /** So many further pieces, each once the one before is out: together they would keep a vote waiting. */
  private storeOn(pieces: number): void {
    if (pieces === 0 || !this.mayStore() || this.store?.isIdle !== false) return;
    this.options.host.keepHouse(
      (turn) => this.store?.tick(turn),
      () => this.storeOn(pieces - 1),
    );
  }

  /** What lies about since everything was written anew goes. */
  private async listStored(store: CheckpointStore): Promise<void> {
    if (this.isListing) return;
    this.isListing = true;
    await store.list(this.options.log.scanState()).catch(() => undefined); // who cannot be asked now is asked again
    this.isListing = false;
  }

  private writeLogAgain(): void {
    this.lost = ['views', ...this.options.host.replica.openPlaces];
  }

  /** The service and the core change together, or not at all. */
  private installIfComplete(): void {
    const { host, service, logger } = this.options;
    const { transfer } = this.fetcher;
    if (transfer === undefined) return;
    const { head, digest } = transfer;
    const place = sequence(head.sequence);
    if (host.replica.wantsState(place, digest)) {
      service.install(transfer);
      const replies = service.replyTable();
      host.step({ kind: 'state', sequence: place, digest, time: head.time, replies, proof: [] });
      this.transfers++;
      logger.info({ sequence: place }, 'goes on from a state that it has fetched');
    }
    this.fetcher.stop();
  }
}
