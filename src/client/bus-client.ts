import { randomInt } from 'node:crypto';
import { sha256 } from '../crypto/digest.js';
import { membershipDocument, type Membership, type MembershipDocument } from '../crypto/membership.js';
import type { Reply } from '../crypto/receipt.js';
import type { StateProof } from '../crypto/state-proof.js';
import { QuorateError } from '../errors.js';
import { limits } from '../pbft/configuration.js';
import type { Request } from '../pbft/messages.js';
import type { Channel, Subscription, SubscriptionListener } from '../ports/bus.js';
import type { Publisher } from '../ports/publisher.js';
import type { Signer, Verifier } from '../ports/signatures.js';
import type { Timestamps } from '../ports/timestamps.js';
import type { Credential } from '../wire/credential.js';
import { Opener, Sealer } from '../wire/envelope.js';
import { decoded, gatewaySigner, splitPacket, type Frame } from '../wire/frame.js';
import { canonicalJsonBytes, type Json } from '../wire/json.js';
import { packets } from '../wire/packets.js';
import { decodeQueryReply, decodeStatus, encodeQuery } from '../wire/service.js';
import { Bundler } from './bundler.js';
import type { AgreedBatch, ClusterClient, ClusterStatus, QueryAnswer, SubmitOptions } from './cluster-client.js';
import { BatchFinder } from './batch-finder.js';
import { assertIdempotencyKey, clientOfKey } from './idempotency-keys.js';
import { KeyedReplies } from './keyed-replies.js';
import { noQuorum } from './no-quorum.js';
import { ProofFinder } from './proof-finder.js';
import { QueryRound } from './query-round.js';
import { ReplicaWatch } from './replica-watch.js';
import { ReplyReader } from './reply-reader.js';
import { keyedTimestamp } from '../wire/bundle.js';
import { Submission } from './submission.js';
import { Submissions } from './submissions.js';
import { TurnEnd } from './turn-end.js';

/** How often deadlines and re-sending are looked at, milliseconds. */
export const clientTickMs = 25;
/** A read waits so long for matching answers before it is ordered instead. */
const queryPatienceMs = 250;

export interface BusClientOptions {
  readonly membership: Membership;
  readonly credential: Credential;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly publisher: Publisher;
  readonly timestamps: Timestamps;
  /** Default wait for f+1 matching replies, milliseconds. */
  readonly deadlineMs: number;
  /** Requests that may wait at once. */
  readonly inFlightMax: number;
  readonly now: () => number;
  /** Runs something once this turn of the event loop is over; a simulator says when that is. */
  readonly defer?: (run: () => void) => void;
  /** A number that names a question, below 2^47; hard to guess, since whoever knows it could answer first. */
  readonly drawNonce?: () => number;
}

const randomNonce = (): number => randomInt(2 ** 47);

/** The channels that a gateway of this name listens to. */
export function gatewayChannels(name: string): readonly Channel[] {
  return [`reply:${name}`, 'status'];
}

/**
 * A client of the cluster straight over the bus. It verifies every reply and believes nothing that fewer than f+1
 * replicas say. Whoever runs it subscribes it to `gatewayChannels` and calls `tick`.
 */
export class BusClient implements ClusterClient, SubscriptionListener {
  private readonly watch: ReplicaWatch;
  private readonly opener: Opener;
  private readonly sealer: Sealer;
  private readonly bundler: Bundler;
  /** What one turn of the event loop submits is signed once and sent together. */
  private readonly turnEnd: TurnEnd;
  private readonly finder: BatchFinder;
  private readonly prover: ProofFinder;
  private readonly submissions: Submissions;
  /** By nonce, each with the SHA-256 of its QUERY's body. */
  private readonly queries = new Map<number, { readonly round: QueryRound; readonly question: string }>();
  private readonly keyed = new KeyedReplies();
  private readonly reader = new ReplyReader();
  private subscription: Subscription | undefined;
  private isClosing = false;
  private drained: (() => void) | undefined;

  constructor(private readonly options: BusClientOptions) {
    const { membership, credential, publisher } = options;
    const context = { genesisDigest: membership.digest, epoch: membership.epoch, n: membership.n };
    this.submissions = new Submissions(credential.name);
    this.watch = new ReplicaWatch(membership);
    this.opener = new Opener(context, options.verifier);
    this.sealer = new Sealer(context, options.signer, gatewaySigner);
    const publish = publisher.publish.bind(publisher);
    const bundler = new Bundler({ credential, sealer: this.sealer, publish, reached: () => this.watch.reached() });
    this.bundler = bundler;
    this.turnEnd = new TurnEnd((now) => bundler.flush(now), options.now, options.defer);
    const asking = { membership, credential, opener: this.opener, sealer: this.sealer, publish };
    this.finder = new BatchFinder(asking);
    this.prover = new ProofFinder(asking);
  }

  /** What `Bus.subscribe` returned for this client. */
  attach(subscription: Subscription): void {
    this.subscription = subscription;
  }

  get connected(): boolean {
    return this.options.publisher.connected && this.subscription?.connected === true;
  }

  get inFlight(): number {
    return this.submissions.size;
  }

  attend(): void {
    if (this.turnEnd.due()) this.subscription?.lookIn?.();
  }

  /** Not an async function: so many requests wait at once that what each of them holds is felt. */
  submit(operation: Json, options: SubmitOptions = {}): Promise<Reply> {
    try {
      return this.begin(operation, options);
    } catch (error) {
      return rejected(error as Error);
    }
  }

  async query(query: Json, consistency: 'linearizable' | 'local', deadlineMs?: number): Promise<QueryAnswer> {
    this.assertOpen();
    const { membership, credential, now } = this.options;
    const wait = deadlineMs ?? this.options.deadlineMs;
    const started = now();
    const patience = consistency === 'local' ? wait : Math.min(queryPatienceMs, wait);
    const nonce = (this.options.drawNonce ?? randomNonce)();
    const round = new QueryRound(nonce, consistency, started + patience, membership);
    const body = encodeQuery({ credential, nonce, query: Buffer.from(canonicalJsonBytes(query)) });
    this.queries.set(nonce, { round, question: sha256(body) });
    this.options.publisher.publish(packets('request', [this.sealer.seal('query', body)]));
    const answer = await round.promise;
    this.queries.delete(nonce);
    if (answer !== undefined) return answer;
    if (consistency === 'local') throw this.noQuorum(started, [], 'no replica has answered');
    return this.readInOrder(query, wait - (now() - started));
  }

  agreedBatch(sequence: number, deadlineMs?: number): Promise<AgreedBatch | undefined> {
    this.assertOpen();
    const started = this.options.now();
    const deadline = started + (deadlineMs ?? this.options.deadlineMs);
    return this.finder.find(sequence, deadline, () =>
      this.noQuorum(started, [], 'no replica has handed out the batch'),
    );
  }

  prove(key: string, deadlineMs?: number): Promise<StateProof | undefined> {
    this.assertOpen();
    const started = this.options.now();
    const deadline = started + (deadlineMs ?? this.options.deadlineMs);
    const nonce = (this.options.drawNonce ?? randomNonce)();
    return this.prover.find(key, nonce, deadline, () => this.noQuorum(started, [], 'no replica has proven it'));
  }

  status(): ClusterStatus {
    return this.watch.status(this.options.now());
  }

  membership(): MembershipDocument {
    return membershipDocument(this.options.membership);
  }

  async close(): Promise<void> {
    this.isClosing = true;
    if (this.submissions.size > 0) await new Promise<void>((resolve) => (this.drained = resolve));
    await this.subscription?.close();
    await this.options.publisher.close();
  }

  /** Time passes: to be called every `clientTickMs`. */
  tick(): void {
    const now = this.options.now();
    this.bundler.resend(now);
    if (this.bundler.isHolding) this.bundler.flush(now);
    this.finder.tick(now);
    this.prover.tick(now);
    for (const submission of this.submissions.overdue(now)) submission.fail(this.failure(submission));
    for (const { round } of this.queries.values()) if (round.deadline <= now) round.giveUp();
  }

  onPayload(_channel: Channel, payload: Buffer): void {
    const frames = splitPacket(payload);
    if (typeof frames === 'string') return;
    for (const bytes of frames) {
      const frame = this.opener.open(bytes, _channel);
      if (typeof frame !== 'string') this.onFrame(frame);
    }
  }

  onConnected(): void {
    this.bundler.resend(this.options.now());
  }

  onDisconnected(): void {
    // `connected` says so; what waits is sent again when the connection stands
  }

  /** @throws {QuorateError} */
  private begin(operation: Json, options: SubmitOptions): Promise<Reply> {
    this.assertOpen();
    const bytes = canonicalJsonBytes(operation);
    if (bytes.length > limits.operationBytesMax) {
      const message = `an operation has at most ${limits.operationBytesMax} bytes`;
      throw new QuorateError('request-too-large', message, { limit: limits.operationBytesMax });
    }
    const { client, timestamp } = this.nameRequest(options.idempotencyKey);
    const answered = this.keyed.find(client, bytes);
    if (answered !== undefined) return Promise.resolve(answered);
    const pending = this.submissions.find({ client, timestamp });
    if (pending !== undefined) return joined(pending, bytes);
    if (this.submissions.size >= this.options.inFlightMax) {
      throw new QuorateError('overloaded', 'too many requests are in flight', { limit: this.options.inFlightMax });
    }
    const { membership, now } = this.options;
    const startedAt = now();
    const deadline = startedAt + (options.deadlineMs ?? this.options.deadlineMs);
    const submission = new Submission(client, timestamp, bytes, startedAt, deadline, membership, this.onSettled);
    this.submissions.add(submission);
    this.bundler.add(submission);
    this.turnEnd.due();
    return submission.promise;
  }

  private readonly onSettled = (submission: Submission, reply?: Reply): void => {
    this.submissions.delete(submission);
    if (reply !== undefined) {
      this.bundler.onAnswered(this.options.now() - submission.startedAt);
      if (!this.submissions.isOwn(submission)) this.keyed.keep(submission.client, submission.operation, reply);
    }
    if (this.bundler.isHolding) this.turnEnd.due();
    if (this.submissions.size === 0) this.drained?.();
  };

  private onFrame(frame: Frame): void {
    switch (frame.kind) {
      case 'reply':
        this.onReply(frame);
        break;
      case 'status':
        this.onStatus(frame);
        break;
      case 'query-reply':
        this.onQueryReply(frame);
        break;
      case 'decided':
        this.finder.onDecided(frame);
        break;
      case 'proof':
        this.prover.onProof(frame);
        break;
      default:
        break; // the opener lets nothing else through on these channels
    }
  }

  private onReply(frame: Frame): void {
    const contents = this.reader.read(frame, this.isAwaited);
    // Once a request has its f+1 replies the others need no look at their signatures.
    if (contents?.replies.some(({ executed }) => this.isAwaited(executed)) !== true || !this.opener.verify(frame))
      return;
    const { statement, replies } = contents;
    const signature = frame.signature.toString('base64');
    let isOver = true;
    for (const reply of replies) {
      const submission = this.submissions.find(reply.executed);
      submission?.add({ replica: frame.signer, signature, statement, reply });
      isOver &&= this.submissions.isOwn(reply.executed) && submission?.isSettled !== false;
    }
    if (isOver) this.reader.finish(frame);
  }

  private readonly isAwaited = (request: Pick<Request, 'client' | 'timestamp'>): boolean => {
    return this.submissions.find(request)?.isSettled === false;
  };

  private onStatus(frame: Frame): void {
    const status = decoded(() => decodeStatus(frame.body));
    if (status === 'malformed-frame' || !this.opener.verify(frame)) return;
    this.watch.onStatus(frame.signer, status, this.options.now());
  }

  private onQueryReply(frame: Frame): void {
    const reply = decoded(() => decodeQueryReply(frame.body));
    if (reply === 'malformed-frame') return;
    const asked = this.queries.get(reply.nonce);
    // Whoever asks something else under our nonce gets answers that are genuine, and not to our question.
    if (asked?.question !== reply.question || !this.opener.verify(frame)) return;
    asked.round.add(frame.signer, reply);
  }

  /** The read as an operation in the total order: always linearizable, at the price of an agreement. */
  private async readInOrder(query: Json, deadlineMs: number): Promise<QueryAnswer> {
    const { result, sequence, receipt } = await this.submit(query, { deadlineMs });
    const { found, value } = result as { found?: boolean; value?: Json };
    const replicas = receipt.signatures.map(({ replica }) => replica);
    return { value: found === true ? value : undefined, sequence, consistency: 'linearizable', replicas };
  }

  private nameRequest(key: string | undefined): { client: string; timestamp: number } {
    if (key === undefined) return { client: this.options.credential.name, timestamp: this.options.timestamps.next() };
    assertIdempotencyKey(key);
    return { client: clientOfKey(key), timestamp: keyedTimestamp };
  }

  private assertOpen(): void {
    if (this.isClosing) throw new QuorateError('shutting-down', 'this gateway is shutting down');
    if (!this.connected) throw new QuorateError('bus-unavailable', 'Redis cannot be reached');
  }

  private failure(submission: Submission): QuorateError {
    if (!this.connected) {
      const message = 'Redis cannot be reached; the request may still be executed';
      return new QuorateError('bus-unavailable', message, { mayStillCommit: true });
    }
    return this.noQuorum(
      submission.startedAt,
      submission.repliers,
      `fewer than f+1 = ${this.options.membership.f + 1} matching replies`,
    );
  }

  private noQuorum(since: number, repliers: readonly number[], what: string): QuorateError {
    return noQuorum(this.options.membership, this.watch.heardSince(since), repliers, what);
  }
}

/** A second submission under a key that is being executed gets the first one's reply. */
function joined(pending: Submission, operation: Uint8Array): Promise<Reply> {
  if (Buffer.compare(pending.operation, operation) === 0) return pending.promise;
  throw new QuorateError('idempotency-conflict', 'this Idempotency-Key is in use for another operation');
}

const rejected = (error: Error): Promise<never> => Promise.reject(error);
