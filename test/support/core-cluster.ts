import type { BatchReplies, Effect } from '../../src/pbft/effects.js';
import type { Batch, Commit, ReplicaMessage, RequestBundle } from '../../src/pbft/messages.js';
import type { Digest } from '../../src/pbft/types.js';
import { CheckedReplica, type CheckedOptions } from './checked-replica.js';
import { clockStart, nullBatch } from './core-messages.js';
import type { Random } from './seeds.js';

export interface CoreClusterOptions extends Omit<CheckedOptions, 'self' | 'isStarted'> {
  readonly n: number;
  readonly random: Random;
  /** Replicas that the test plays itself. */
  readonly byzantine?: readonly number[];
  /** The probability that a message is lost, or delivered twice, on its way to one replica. */
  readonly loss?: number;
  readonly duplication?: number;
  /** The probability that a replica dies while it handles a message, and comes back. */
  readonly crashes?: number;
}

/**
 * Correct cores on a network of the test's making: any delay and order, loss, duplication. It throws as soon as two of
 * them execute different batches at one sequence number.
 */
export class CoreCluster {
  readonly replicas = new Map<number, CheckedReplica>();
  private readonly pending: { readonly to: number; readonly message: ReplicaMessage }[] = [];
  private readonly agreed = new Map<number, Batch>();
  private readonly replies = new Map<number, string>();
  private readonly batches = new Map<Digest, Batch>([[nullBatch.digest, nullBatch]]);
  private readonly commits = new Map<string, Map<number, Commit>>();
  private isQuiet = false;
  private now = clockStart;

  constructor(private readonly options: CoreClusterOptions) {
    const { n, byzantine = [] } = options;
    for (let self = 0; self < n; self++) {
      if (!byzantine.includes(self)) this.replicas.set(self, new CheckedReplica({ resendTicks: 1, ...options, self }));
    }
  }

  get all(): readonly CheckedReplica[] {
    return [...this.replicas.values()];
  }

  /** The highest sequence number that some correct replica has executed. */
  get height(): number {
    return Math.max(...this.all.map(({ core }) => core.lastExecuted));
  }

  get pendingCount(): number {
    return this.pending.length;
  }

  /** A gateway sends the bundle to all replicas; here and there it gets lost. */
  submit(bundle: RequestBundle): void {
    for (const [self, replica] of this.replicas) {
      if (!this.isLost()) this.carryOut(self, replica.step({ kind: 'request', bundle }));
    }
  }

  /** Puts a message on its way to one replica. */
  send(to: number, message: ReplicaMessage): void {
    this.note(message);
    if (this.replicas.has(to)) this.pending.push({ to, message });
  }

  /** Delivers one of the messages under way, whichever. */
  deliverOne(): void {
    const { random, duplication = 0, crashes = 0 } = this.options;
    const index = random.below(this.pending.length);
    const [delivery] = this.pending.splice(index, 1);
    if (delivery === undefined || this.isLost()) return;
    const { to, message } = delivery;
    if (!this.isQuiet && random.chance(duplication)) this.pending.push(delivery);
    const replica = this.replicas.get(to);
    if (replica === undefined) return;
    const input = { kind: 'message', message: copyOf(message) } as const;
    const isCrash = !this.isQuiet && random.chance(crashes);
    const effects = isCrash ? replica.stepAndCrash(input, (count) => random.below(count + 1)) : replica.step(input);
    this.carryOut(to, effects);
  }

  deliverAll(): void {
    while (this.pending.length > 0) this.deliverOne();
  }

  /** Time passes for everybody. */
  tick(): void {
    this.now += 50;
    for (const [self, replica] of this.replicas) this.carryOut(self, replica.tick(this.now));
  }

  /** Everything under way arrives, and time passes, so often. */
  run(rounds: number): void {
    for (let round = 0; round < rounds; round++) {
      this.deliverAll();
      this.tick();
      this.fetchMissed();
    }
  }

  /**
   * From now on nothing gets lost, gateways send again what they may have lost, replicas fetch what they have missed,
   * and time passes until everybody has executed everything and has no more to say. (A replica that is alone in asking
   * for another view goes on asking.)
   */
  settle(bundles: readonly RequestBundle[]): void {
    this.isQuiet = true;
    for (const bundle of bundles) this.submit(bundle);
    const due = bundles.flatMap(({ requests }) => requests.map(({ client, timestamp }) => `${client}#${timestamp}`));
    for (let round = 0, quiet = 0; quiet < 40; round++) {
      if (round > 3000) throw new Error(`the cluster does not come to rest: ${this.description}`);
      this.deliverAll();
      this.tick();
      const isCaughtUp = this.fetchMissed();
      const isSilent = this.pending.every(({ message }) => message.kind === 'view-change');
      quiet = isCaughtUp && isSilent && this.haveExecuted(due) ? quiet + 1 : 0;
    }
  }

  /** Whether every correct replica has executed these requests, named as in `history`. */
  private haveExecuted(due: readonly string[]): boolean {
    return this.all.every(({ application: { history } }) => {
      if (history.length < due.length) return false;
      const done = new Set(history);
      return due.every((name) => done.has(name));
    });
  }

  private get description(): string {
    const states = [...this.replicas].map(([self, { core }]) => {
      return `${self} has executed ${core.lastExecuted} and ${core.isChangingView ? 'wants' : 'is in'} view ${core.view}`;
    });
    return states.join('; ');
  }

  /** Gives each replica that is behind the proof of the next batch. */
  private fetchMissed(): boolean {
    let isCaughtUp = true;
    for (const [self, replica] of this.replicas) {
      const next = replica.core.lastExecuted + 1;
      for (const votes of this.commits.values()) {
        const [first] = votes.values();
        const batch = first === undefined ? undefined : this.batches.get(first.digest);
        if (first?.sequence !== next || votes.size < replica.configuration.q || batch === undefined) continue;
        isCaughtUp = false;
        const certificate = { kind: 'certificate', batch, commits: [...votes.values()] } as const;
        this.carryOut(self, replica.step({ kind: 'certificate', certificate }));
        break;
      }
    }
    return isCaughtUp;
  }

  private carryOut(from: number, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'executed') this.agree(from, effect.sequence, effect.batch);
      if (effect.kind === 'reply') this.agreeOnReplies(from, effect.replies);
      if (effect.kind === 'broadcast') {
        for (let to = 0; to < this.options.n; to++) if (to !== from) this.send(to, effect.message);
      }
      if (effect.kind === 'fetch-batch') this.answer(from, effect.sequence, effect.digest);
    }
  }

  private agree(replica: number, place: number, batch: Batch): void {
    const other = this.agreed.get(place) ?? batch;
    if (other.digest !== batch.digest) {
      throw new Error(`replica ${replica} has executed ${batch.digest} at ${place}, another one ${other.digest}`);
    }
    this.agreed.set(place, batch);
  }

  private agreeOnReplies(replica: number, { statement: { view, sequence }, leaves }: BatchReplies): void {
    const statement = `${view} ${leaves.map((leaf) => `${leaf.requestDigest}=${leaf.resultDigest}`).join()}`;
    const other = this.replies.get(sequence) ?? statement;
    if (other !== statement) throw new Error(`replica ${replica} answers ${statement} at ${sequence}, not ${other}`);
    this.replies.set(sequence, statement);
  }

  private answer(to: number, sequence: Commit['sequence'], digest: Digest): void {
    const batch = this.batches.get(digest);
    const replica = this.replicas.get(to);
    if (batch === undefined || replica === undefined || this.isLost()) return;
    this.carryOut(to, replica.step({ kind: 'batch', sequence, batch }));
  }

  private note(message: ReplicaMessage): void {
    if (message.kind === 'pre-prepare' && message.batch !== undefined) this.batches.set(message.digest, message.batch);
    if (message.kind !== 'commit') return;
    const name = `${message.view}/${message.sequence}/${message.digest}`;
    this.commits.set(name, (this.commits.get(name) ?? new Map<number, Commit>()).set(message.replica, message));
  }

  private isLost(): boolean {
    const { random, loss = 0 } = this.options;
    return !this.isQuiet && random.chance(loss);
  }
}

/** Each receiver decodes its own: what one fills in later is not seen by the others. */
function copyOf(message: ReplicaMessage): ReplicaMessage {
  if (message.kind === 'pre-prepare') return { ...message };
  if (message.kind !== 'new-view') return message;
  return { ...message, prePrepares: message.prePrepares.map((one) => ({ ...one, batch: undefined })) };
}
